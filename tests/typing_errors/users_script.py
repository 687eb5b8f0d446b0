"""A user's script with mistakes, for mypy, which ``make test`` runs on it: it is never carried out.

The first part has none. Every line of the second has a misspelt name, field or value, and an ``ignore`` for the error
that mypy finds there; were it not found, mypy would call the ``ignore`` unused and fail.
"""

from __future__ import annotations

import skiptune as st

base = "dandelin/vilt-b32-mlm"
train, valid = st.split_by_image(st.read_jsonl("train.jsonl", "photos"), share=0.1, seed=0)
task = st.Vqa.from_records(st.load_processor(base), train)
model = st.load_model(base, task.model_class, **task.model_changes())
st.insert(model, st.SkipConfig(block_adapter="lora"))
training = st.TrainConfig(epochs=3, learning_rate_factors={"head": 10, "poolers": 5}, augment={"n": 2, "m": 9})
experiment = st.Experiment(task, train, valid, budget=st.Budget(macs=-0.25), training=training)
plan = st.search(model, experiment)
st.fit(model, experiment, plan, done=plan.steps)
st.export(model, "slim", plan, task)
print(st.predict(st.load("slim"), task, "photos/kitchen.jpg", "what is on the table?"))
recipe = st.read_recipe("kitchen.yaml", ["train.max_steps=20"], output="runs/short")
print(st.Run(recipe).all(), recipe.budget.num_skip)

other = st.load_model(base, "entailment")

# names
st.serach(model, experiment)  # type: ignore[attr-defined]
print(plan.skiped)  # type: ignore[attr-defined]
task.model_chages()  # type: ignore[attr-defined]
print(recipe.budget.num_skipp)  # type: ignore[attr-defined]
print(recipe.traim.epochs)  # type: ignore[attr-defined]

# fields and arguments
st.SkipConfig(block_adaptor="lora")  # type: ignore[call-arg]
st.Budget(mac=-0.2)  # type: ignore[call-arg]
st.TrainConfig(epoch=3)  # type: ignore[call-arg]
st.SearchConfig(stategy="bandit")  # type: ignore[call-arg]
st.Recipe(output="x", tasks="vqa")  # type: ignore[call-arg]
st.Experiment(task, train, valid, budgets=st.Budget(num_skip=4))  # type: ignore[call-arg]
st.Vqa.from_records(st.load_processor(base), train, leest=2)  # type: ignore[call-arg]
st.insert(model, adapters=st.SkipConfig())  # type: ignore[call-arg]

# values
st.SkipConfig(block_adapter="lor")  # type: ignore[arg-type]
st.SkipConfig(scope="globe")  # type: ignore[arg-type]
st.Budget(macs="a quarter")  # type: ignore[arg-type]
st.TrainConfig(decayed="matrixes")  # type: ignore[arg-type]
st.TrainConfig(learning_rate_factors={"heads": 10})  # type: ignore[dict-item]
st.TrainConfig(augment={"k": 2})  # type: ignore[dict-item]
st.TrainConfig(optimizer="adam")  # type: ignore[arg-type]
st.TrainConfig(scheduler="cosin")  # type: ignore[arg-type]
st.TrainConfig(report_to=("wandbb",))  # type: ignore[arg-type]
st.SearchConfig(strategy="bandid")  # type: ignore[arg-type]
st.load_model(base, "vqaa")  # type: ignore[arg-type]
st.Recipe(output="x", task="vqaa")  # type: ignore[arg-type]
st.Recipe(output="x", baselines=("unskiped",))  # type: ignore[arg-type]
st.BenchConfig(dtype="float23")  # type: ignore[arg-type]
st.export(model, "slim", plan, task, form="standalon")  # type: ignore[arg-type]
st.insert(model, "lora")  # type: ignore[arg-type]
