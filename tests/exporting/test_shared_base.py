"""Many tasks on one base: the answers of each slim model alone, weights in memory once, refusal of what is unfit."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel

from conftest import draw_square
from every_task import WITH_HEADS
from skiptune import (
    InputError,
    Plan,
    Record,
    SharedBase,
    SkipConfig,
    blocks_of,
    evaluate,
    export,
    insert,
    load,
    load_model,
    load_processor,
    load_task,
    parameter_groups,
    predict,
)
from skiptune.tasks.registry import TASKS
from skiptune.tasks.task import Task

FAMILIES = ("vilt", "meter", "bridgetower")
CONFIGS = {
    "bottleneck": SkipConfig(),
    "lora": SkipConfig(block_adapter="lora", lora_rank=4),
    "none": SkipConfig(block_adapter="none"),
}
Export = Callable[..., Path]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    for number in range(4):
        draw_square(folder / f"{number}.png", number)
    return [folder / f"{number}.png" for number in range(4)]


def records_of(task: str, images: list[Path]) -> list[Record]:
    """Two records; the images of a pair have one size."""
    first, second = images[0], images[1]
    if task == "vqa":
        return [Record(first, "which colour is it?", {"red": 1.0}), Record(second, "colour?", {"blue": 1.0})]
    if task == "entailment":
        return [Record(first, "it is red", label=0), Record(second, "it is not really blue", label=2)]
    if task == "reasoning":
        return [Record(first, "both are red", image2=second, label=1), Record(second, "one", image2=first, label=0)]
    if task == "classification":
        return [Record(first, label="red"), Record(second, "a square", label="blue")]
    if task == "regression":
        return [Record(first, value=1.0), Record(second, "a square", value=2.0)]
    return [Record(first, captions=("a red square",)), Record(second, captions=("it is blue",))]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny pre-trained model of every family on disk, by family."""
    folder = tmp_path_factory.mktemp("bases")
    for family in FAMILIES:
        load_model(f"{family}-tiny", "vqa", num_labels=2).save_pretrained(folder / family)
    return {family: folder / family for family in FAMILIES}


@pytest.fixture(scope="module")
def exported(
    bases: dict[str, Path], images: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Path, dict[str, Tensor]]]:
    """``exported(family, task, ...)``: a slim directory and inputs; one block skipped, all that is trained moved."""

    def make(
        family: str,
        task: str = "vqa",
        config: str = "bottleneck",
        form: str = "adapters",
        skip: int = 1,
        base: Path | None = None,
        with_task: bool = True,
        scope: str = "fusion",
        seed: int = 1,
    ) -> tuple[Path, dict[str, Tensor]]:
        records = records_of(task, images)
        made: Task = TASKS[task].from_records(load_processor(f"{family}-tiny"), records)
        if hasattr(made, "false_texts"):
            made.false_texts = 1
        model = load_model(str(base or bases[family]), made.model_class, quiet=True, **made.model_changes())
        insert(model, SkipConfig.from_dict({**CONFIGS[config].to_dict(), "scope": scope}))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
        blocks = tuple(blocks_of(model))
        plan = Plan(family, blocks, (blocks[skip], *((blocks[-1],) if scope == "global" else ())))
        folder = tmp_path_factory.mktemp("slim") / "slim"
        export(model, folder, plan, made if with_task else None, form=form)  # type: ignore[arg-type]
        return folder, {name: value for name, value in made.collate(records).items() if name != "labels"}

    return make


@torch.inference_mode()
def logits(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    found: Tensor = model(**batch).logits
    return found


def frozen(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Body parameters under the names they had before adapters were inserted."""
    for name, value in parameter_groups(model)["body"].items():
        yield name.replace(".base_layer", ""), value


@pytest.mark.parametrize("family", ["vilt", pytest.param("meter", marks=pytest.mark.slow), "bridgetower"])
def test_every_task_answers_as_its_slim_model_alone(family: str, bases: dict[str, Path], exported: Any) -> None:
    base = SharedBase(bases[family])
    cases = {}
    kinds = [(task, "bottleneck", "adapters") for task in WITH_HEADS]
    kinds += [("entailment", "bottleneck", "standalone"), ("retrieval", "lora", "adapters")]
    for number, (task, config, form) in enumerate(kinds):
        name = f"{task} {config} {form}"
        cases[name] = exported(family, task, config, form, skip=number % 3, seed=number)
        base.attach(name, cases[name][0])
    assert list(base) == list(cases)
    assert len(base) == len(kinds)
    owner: dict[str, Tensor] = {}
    for name in [*cases, *reversed(cases)]:  # going back and forth changes nothing
        folder, batch = cases[name]
        alone, found = load(folder), base[name]
        expected = logits(alone, batch)
        if "bottleneck" in name:
            assert torch.equal(logits(found, batch), expected)
        else:
            torch.testing.assert_close(logits(found, batch), expected, rtol=1e-5, atol=1e-5)
        assert not found.training
        assert not any(value.requires_grad for value in found.parameters())
        for key, value in frozen(found):
            assert owner.setdefault(key, value) is value
        # what a task adds is what its file holds, the frozen weights of a stand-alone file aside
        with safe_open(folder / "slim.safetensors", "pt") as file:
            shared = dict(frozen(found)).keys() if "standalone" in name else set()
            assert base.own_nbytes(name) == sum(file.get_tensor(k).nbytes for k in file.keys() if k not in shared)  # noqa: SIM118
    assert len({value.untyped_storage().data_ptr() for value in owner.values()}) == len(owner)
    assert sum(value.nbytes for value in owner.values()) <= base.nbytes


@pytest.mark.parametrize(
    ("family", "config"), [("meter", "none"), ("meter", "lora"), ("bridgetower", "bottleneck"), ("bridgetower", "lora")]
)
def test_skipped_encoder_layers(family: str, config: str, bases: dict[str, Path], exported: Any) -> None:
    base = SharedBase(bases[family])
    folder, batch = exported(family, config=config, scope="global")
    plain, _ = exported(family)
    base.attach("global", folder)
    base.attach("fusion", plain)
    assert base["global"].skip_config.scope == "global"
    torch.testing.assert_close(logits(base["global"], batch), logits(load(folder), batch), rtol=1e-5, atol=1e-5)
    assert torch.equal(logits(base["fusion"], batch), logits(load(plain), batch))


def test_attaching_leaves_other_tasks_and_the_base_alone(bases: dict[str, Path], exported: Any) -> None:
    base = SharedBase(bases["vilt"])
    first, batch = exported("vilt")
    model = base.attach("first", first)
    before, places = logits(model, batch), [value.data_ptr() for value in model.parameters()]
    second, _ = exported("vilt", config="lora", seed=2)
    base.attach("second", second)
    logits(base["second"], batch)
    head = weakref.ref(base["second"].classifier[0].weight)
    base.detach("second")
    gc.collect()
    assert head() is None  # its memory is free again
    assert list(base) == ["first"]
    assert base["first"] is model
    assert [value.data_ptr() for value in model.parameters()] == places
    assert torch.equal(logits(model, batch), before)
    base.attach("second", second)  # the name is free again


def test_questions_from_several_threads(bases: dict[str, Path], images: list[Path], exported: Any) -> None:
    base = SharedBase(bases["vilt"])
    asked = {"vqa": "which colour?", "entailment": "it is red", "retrieval": "a red square"}
    for task in asked:
        base.attach(task, exported("vilt", task)[0])
    single = {
        (task, image): base.answer(task, image, text) for task, text in asked.items() for image in images for _ in "12"
    }
    jobs = [*single] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: base.answer(*job, asked[job[0]]), jobs))
    assert all(answer == single[job] for job, answer in zip(jobs, found, strict=True))


def test_attaching_while_others_answer(bases: dict[str, Path], exported: Any) -> None:
    base = SharedBase(bases["meter"])
    folder, batch = exported("meter")
    base.attach("first", folder)
    expected = logits(base["first"], batch)
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(logits, base["first"], batch) for _ in range(30)]
        attached = [pool.submit(base.attach, f"task {number}", folder) for number in range(4)]
        assert all(torch.equal(answer.result(), expected) for answer in answers)
        assert all(torch.equal(logits(model.result(), batch), expected) for model in attached)
    assert len(base) == 5


def test_answers_and_measures_are_those_of_the_slim_model(
    bases: dict[str, Path], images: list[Path], exported: Any
) -> None:
    base = SharedBase(bases["bridgetower"])
    folder, _ = exported("bridgetower", "reasoning")
    other, _ = exported("bridgetower", "vqa")
    base.attach("pairs", folder)
    base.attach("colours", other)
    alone = load(folder)
    task, records = load_task(folder, alone), records_of("reasoning", images)
    assert base.answer("pairs", images[0], "both are red", image2=images[1]) == predict(
        alone, task, images[0], "both are red", image2=images[1]
    )
    assert evaluate(base["pairs"], base.task("pairs"), records) == evaluate(alone, task, records)
    assert base.task("pairs").processor is base.task("colours").processor  # the same files
    assert "colours" in repr(base)


def test_moving_moves_everything_once(bases: dict[str, Path], exported: Any) -> None:
    base = SharedBase(bases["vilt"])
    for number in range(2):
        base.attach(str(number), exported("vilt", seed=number)[0])
    own = base.own_nbytes("0")
    assert base.to("meta") is base
    assert base.device == base["1"].device == torch.device("meta")
    assert all(value.device == base.device for model in map(base.__getitem__, base) for value in model.buffers())
    assert all(one is other for (_, one), (_, other) in zip(frozen(base["0"]), frozen(base["1"]), strict=True))
    assert base.own_nbytes("0") == own


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu(bases: dict[str, Path], exported: Any) -> None:
    base = SharedBase(bases["vilt"])
    folder, batch = exported("vilt")
    base.attach("before", folder)
    base.to("cuda").attach("after", folder)
    given = {name: value.cuda() for name, value in batch.items()}
    assert torch.equal(logits(base["before"], given), logits(base["after"], given))
    torch.testing.assert_close(logits(base["after"], given).cpu(), logits(load(folder), batch), rtol=1e-3, atol=1e-3)


# --- refusals


def test_wrong_base(bases: dict[str, Path], exported: Any, tmp_path: Path) -> None:
    load_model("vilt-tiny", "vqa", seed=5, num_labels=2).save_pretrained(tmp_path / "other")
    base = SharedBase(tmp_path / "other")
    adapters, whole = exported("vilt")[0], exported("vilt", form="standalone")[0]
    expected = json.loads((adapters / "config.json").read_text())["base_fingerprint"]
    with pytest.raises(InputError, match=rf"other: not the base .* expected fingerprint {expected}, found [0-9a-f]"):
        base.attach("adapters", adapters)
    with pytest.raises(InputError, match=r"other: not the base it was trained on; \d+ of \d+ frozen weights differ"):
        base.attach("whole", whole)
    assert len(base) == 0


def test_a_base_of_another_size(bases: dict[str, Path], exported: Any, tmp_path: Path) -> None:
    load_model("vilt-tiny", "vqa", num_labels=2, intermediate_size=48).save_pretrained(tmp_path / "narrow")
    with pytest.raises(InputError, match=r"do not fit .*narrow: missing \[\], .* other sizes \['vilt.encoder"):
        SharedBase(tmp_path / "narrow").attach("task", exported("vilt")[0])
    load_model("vilt-tiny", "vqa", num_labels=2, num_hidden_layers=3).save_pretrained(tmp_path / "short")
    with pytest.raises(InputError, match=r"do not fit .*short: missing \['vilt.encoder.layer.3"):
        SharedBase(tmp_path / "short").attach("task", exported("vilt")[0])


def test_another_family(bases: dict[str, Path], exported: Any) -> None:
    with pytest.raises(InputError, match=r"of family meter; .*vilt is a base of family vilt"):
        SharedBase(bases["vilt"]).attach("task", exported("meter")[0])


def test_merged_lora(bases: dict[str, Path], exported: Any) -> None:
    with pytest.raises(InputError, match=r"LoRA is merged into its weights.*form='adapters'"):
        SharedBase(bases["vilt"]).attach("task", exported("vilt", config="lora", form="standalone")[0])


def test_names(bases: dict[str, Path], exported: Any) -> None:
    base = SharedBase(bases["vilt"])
    with pytest.raises(InputError, match="no task is attached yet"):
        base["kitchen"]
    folder, _ = exported("vilt", with_task=False)
    base.attach("kitchen", folder)
    with pytest.raises(InputError, match=r"SharedBase\.attach:\n  - name: 5 is not a str"):
        base.attach(5, folder)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="name: None is not a str or a Path"):
        SharedBase(None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"'kitchen': already attached, from .*slim; detach it first"):
        base.attach("kitchen", folder)
    for look in (base.__getitem__, base.task, base.detach, base.own_nbytes):
        with pytest.raises(InputError, match="'kitchne': no such task; did you mean 'kitchen'"):
            look("kitchne")
    with pytest.raises(InputError, match="exported without a task"):
        base.answer("kitchen", "picture.png", "what?")


@pytest.mark.parametrize("damage", ["weights", "config", "nothing there", "plain model"])
def test_damaged_exports(damage: str, bases: dict[str, Path], exported: Any, tmp_path: Path) -> None:
    folder, _ = exported("vilt")
    if damage == "weights":
        data = bytearray((folder / "slim.safetensors").read_bytes())
        data[-1] ^= 1
        (folder / "slim.safetensors").write_bytes(data)
    elif damage == "config":
        config = folder / "config.json"
        config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": "wide"'))
    else:
        folder = tmp_path / "none" if damage == "nothing there" else bases["vilt"]
    with pytest.raises(InputError, match=folder.name):
        SharedBase(bases["vilt"]).attach("task", folder)


def test_what_is_no_base(exported: Any) -> None:
    with pytest.raises(InputError, match="a slim model, whose skipped blocks are gone"):
        SharedBase(exported("vilt")[0])
    with pytest.raises(InputError, match="no such model"):
        SharedBase("vilt-scene")
