"""The metrics: each is documented once, and each is served."""

from click.testing import CliRunner

from streams.commands.operate.metrics import metrics as command
from streams.observability.metrics import METRICS, Metrics


def test_the_manual_and_the_served_metrics_are_the_same() -> None:
    metrics = Metrics()
    ours = {
        (family.name, family.type, family.documentation)
        for family in metrics.registry.collect()
        if family.name.startswith("shelfstream_")
    }
    assert ours == {(each.name.removesuffix("_total"), each.kind, each.meaning) for each in METRICS}


def test_every_metric_has_a_help_text() -> None:
    assert [each.name for each in METRICS if len(each.meaning) < 10] == []


def test_a_help_text_names_the_values_of_its_label() -> None:
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
