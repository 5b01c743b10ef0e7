"""The metrics: each documented once, each served."""

from click.testing import CliRunner

from streams.commands.operate.metrics import metrics as command
from streams.observability.metrics import METRICS, Metrics


def test_every_metric_of_ours_is_in_the_manual_and_every_line_of_it_is_served() -> None:
    metrics = Metrics()
    ours = {
        (family.name, family.type, family.documentation)
        for family in metrics.registry.collect()
        if family.name.startswith("shelfstream_")
    }
    assert ours == {(each.name.removesuffix("_total"), each.kind, each.meaning) for each in METRICS}


def test_every_metric_says_what_it_means() -> None:
    assert [each.name for each in METRICS if len(each.meaning) < 10] == []


def test_every_labelled_value_of_a_meaning_is_one_of_those_it_names() -> None:
    (transactions,) = [each for each in METRICS if each.name == "shelfstream_transactions_total"]
    assert transactions.labels == ("agent", "result")
    assert "committed, aborted" in transactions.meaning


def test_two_workers_in_one_process_do_not_share_their_counts() -> None:
    one, other = Metrics(), Metrics()
    one.rebalances.inc()
    assert b"shelfstream_rebalances_total 1.0" in one.exposition()
    assert b"shelfstream_rebalances_total 0.0" in other.exposition()


def test_the_command_explains_each_metric() -> None:
    for arguments in ([], ["--markdown"]):
        shown = CliRunner().invoke(command, arguments)
        assert shown.exit_code == 0
        assert [each.name for each in METRICS if each.name not in shown.stdout] == []
