"""`shelfstream pipeline` as a library: run the steps that are not completed yet."""

from collections.abc import Callable
from pathlib import Path

from models.evaluation.run import EvaluationRequest, run_evaluation, write_report
from models.registry.registry import Registry
from models.serving_config import ServingConfig
from models.taxonomy.tree import Taxonomy
from models.training.data.examples import HumanLabels
from models.training.data.feedback_lines import feedback_conflicts
from models.training.labels.check import write_label_check
from models.training.promotion.gate import GateConfig
from models.training.promotion.run import GateRequest, register, run_gate, write_decision
from models.training.run.request import TrainingRequest, run_training
from models.training.student.config import TrainingConfig
from models.training_pipeline.completed_steps import STEPS, CompletedSteps
from models.training_pipeline.config import PipelineConfig
from models.training_pipeline.observer import PipelineObserver


class Pipeline:
    """A pipeline whose results go to a folder.

    Args:
        config: The pipeline.
        prototypes: Folder that caches the categories' prototypes; None to compute them anew.
        clock: Monotonic time in seconds, such as `time.perf_counter`.
        observer: Receives progress and results.

    Raises:
        StopWorker: A file that the pipeline names cannot be read.
    """

    def __init__(
        self,
        config: PipelineConfig,
        prototypes: Path | None,
        clock: Callable[[], float],
        observer: PipelineObserver | None = None,
    ) -> None:
        self._config, self._prototypes, self._clock = config, prototypes, clock
        self._observer = observer or PipelineObserver()
        self._completed = CompletedSteps(config)
        self._model = config.work / "model"

    def run(self, *, again: bool = False) -> bool:
        """Run the steps in order: check labels, train, evaluate, gate and register.

        A step that was completed with the same data, options and version is skipped. An interrupted step is
        repeated.

        Args:
            again: Whether to repeat completed steps too.

        Returns:
            Whether the model passed the gate. If not, the gate is asked again in the next run.

        Raises:
            StopWorker: A file is missing or malformed, or there are too few titles.
            OSError: A result cannot be written.
        """
        self._config.work.mkdir(parents=True, exist_ok=True)
        actions = (self._check_labels, self._train, self._evaluate, self._gate)
        for number, (step, action) in enumerate(zip(STEPS, actions, strict=True), 1):
            if self._completed.has(step) and not again:
                self._observer.step_skipped(number, step)
                continue
            self._observer.step_started(number, step)
            if not action():
                return False
            self._completed.add(step)
        return True

    def _check_labels(self) -> bool:
        config, path = self._config, self._config.work / "suggestions.tsv"
        taxonomy = Taxonomy.of(config.taxonomy)
        with self._observer.progress("labels") as progress:
            suggestions = write_label_check(config.data, path, taxonomy, config.train.seed, progress)
        self._observer.labels_checked(suggestions, path)
        return True

    def _train(self) -> bool:
        config, options = self._config, self._config.train
        taxonomy = Taxonomy.of(config.taxonomy)
        self._observer.conflicts_found(feedback_conflicts(options.feedback, taxonomy), taxonomy)
        request = TrainingRequest(
            data=config.data,
            output=self._model,
            taxonomy=config.taxonomy,
            config=TrainingConfig.with_options(
                options.epochs, options.seed, options.feedback_weight, options.target_precision
            ),
            unseen=options.unseen,
            teacher=options.teacher,
            encoders=options.encoders,
            human_labels=HumanLabels(options.feedback, options.corrections),
        )
        with self._observer.progress("train") as progress:
            manifest = run_training(request, self._prototypes, progress)
        self._observer.trained(manifest, self._model)
        return True

    def _evaluate(self) -> bool:
        config, folder = self._config, self._config.work / "evaluation"
        serving = ServingConfig(model=self._model, taxonomy=config.taxonomy, prototype_cache=self._prototypes)
        request = EvaluationRequest(data=config.data, serving=serving)
        with self._observer.progress("evaluate") as progress:
            result = run_evaluation(request, self._clock, progress)
        write_report(result.report, folder)
        self._observer.evaluated(result, folder)
        return True

    def _gate(self) -> bool:
        """Ask the gate whether the model may serve, and register it if so."""
        config, options = self._config, self._config.gate
        if self._nothing_serves():
            self._observer.nothing_serves()
        else:
            default = GateConfig()
            tolerance = default.tolerance if options.tolerance is None else options.tolerance
            request = GateRequest(
                candidate=self._model,
                data=config.data,
                serving=options.serving,
                registry=options.registry,
                taxonomy=config.taxonomy,
                human_labels=HumanLabels(config.train.feedback, config.train.corrections),
                config=GateConfig(tolerance=tolerance),
            )
            with self._observer.progress("gate") as progress:
                outcome = run_gate(request, self._prototypes, progress)
            write_decision(outcome.decision, config.work / "ruling.json")
            self._observer.decided(outcome)
            if not outcome.decision.promote:
                return False
        if options.registry is not None:
            version = register(self._model, options.registry, config.taxonomy, promote=options.promote)
            self._observer.registered(version, options.registry, promoted=options.promote)
        return True

    def _nothing_serves(self) -> bool:
        """Whether an own taxonomy has no serving model yet. For Google's there is the shipped one."""
        config = self._config
        if config.taxonomy is None or config.gate.serving is not None:
            return False
        registry = config.gate.registry
        return (
            registry is None or Registry(registry, Taxonomy.of(config.taxonomy)).deployment().serving is None
        )
