"""What the shape of a batch agent costs: the pass-through as an agent, and as a bare `Processor`.

Run: `python -m benchmarks.agent_shape --help`.
"""

from dataclasses import replace

import click

from benchmarks import passthrough
from benchmarks.cluster import running_cluster
from benchmarks.peers.all_peers import CONTESTANTS, OURS
from benchmarks.peers.contestant import python_command

AGENT, BARE = "agent", "bare"


@click.command()
@click.option("--events", type=click.IntRange(min=1), default=1_000_000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Turns of each.")
def main(events: int, rounds: int) -> None:
    """Pass the same events through both in alternating turns, and print the ratio of the medians."""
    ours = CONTESTANTS[OURS]
    contestants = {
        AGENT: replace(ours, name="batch agent"),
        BARE: replace(ours, name="bare processor", command=python_command("shelfstream_lanes", "--bare")),
    }
    with running_cluster() as cluster:
        results = passthrough.measure(
            cluster, contestants, events=events, rounds=rounds, limit_s=120.0, on_progress=click.echo
        )
    for each in results.values():
        turns = ", ".join(f"{per_s:,.0f}" for per_s in each.per_s)
        click.echo(f"{each.name}: median {each.median_per_s:,.0f} events/s of {turns}; {each.surplus} twice")
    click.echo(f"agent / bare: {passthrough.ratios(results, AGENT)[BARE]:.3f}")


if __name__ == "__main__":
    main()
