#!/usr/bin/env python3
"""Writes tests/oracle/metrics/*.json: what scikit-learn and seqeval say of seeded predictions.

  make_metric_vectors.py           write them
  make_metric_vectors.py --check   compute them again and compare (exit 1: they differ; exit 77: no scikit-learn or seqeval)

Neither is needed by anything else: `pip install scikit-learn seqeval` into a venv serves.
"""
import json
import os
import random
import sys
import warnings

try:
    import seqeval.metrics as entities
    import sklearn.metrics as samples
    from seqeval.metrics.sequence_labeling import get_entities
except ImportError as error:
    print(f"skipped: {error} (scikit-learn, seqeval)")
    sys.exit(77)

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics")
warnings.filterwarnings("ignore")  # of divisions by zero, which give 0


def classes():
    rng = random.Random(1)
    cases = []
    for name, count, number, options in (
            ("three", 3, 60, {}), ("ten", 10, 200, {}), ("binary", 2, 30, {}), ("one_class_never_predicted", 4, 12, {}),
            ("some_labels", 5, 80, {"labels": [1, 2, 4]}), ("a_label_that_does_not_occur", 3, 40, {"labels": [0, 1, 2, 3]}),
            ("names", 3, 50, {"target_names": ["a", "the longest name of all", "B"]})):
        target = [rng.randrange(count) for _ in range(number)]
        predicted = [t if rng.random() < 0.6 else rng.randrange(count) for t in target]
        if name == "one_class_never_predicted":
            predicted = [min(p, 2) for p in predicted]
        cases.append({
            "name": name, "target": target, "predicted": predicted, **options,
            "text": samples.classification_report(target, predicted, digits=3, **options),
            "matrix": samples.confusion_matrix(target, predicted).tolist(),
            "accuracy": samples.accuracy_score(target, predicted),
        })
    return cases


def sentences():
    rng = random.Random(2)
    tags = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "I-MISC"]
    cases = []
    for name, number, share in (("noisy", 40, 0.7), ("good", 60, 0.95), ("random", 30, 0.0), ("short", 3, 0.5)):
        target = [[rng.choice(tags) for _ in range(rng.randrange(1, 12))] for _ in range(number)]
        predicted = [[t if rng.random() < share else rng.choice(tags) for t in sentence] for sentence in target]
        cases.append({
            "name": name, "target": target, "predicted": predicted,
            "entities": [[list(entity) for entity in get_entities(sentence)] for sentence in target],
            "text": entities.classification_report(target, predicted, digits=3),
            "f1": entities.f1_score(target, predicted), "precision": entities.precision_score(target, predicted),
            "recall": entities.recall_score(target, predicted),
        })
    return cases


def main():
    check = "--check" in sys.argv
    os.makedirs(FOLDER, exist_ok=True)
    wrong = []
    for name, cases in (("classes", classes()), ("sentences", sentences())):
        path = os.path.join(FOLDER, name + ".json")
        text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
        if check:
            with open(path) as file:
                if file.read() != text:
                    wrong.append(name)
        else:
            with open(path, "w") as file:
                file.write(text)
    print(f"{', '.join(wrong)} differ" if wrong else "metrics: agreed" if check else "metrics: written")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
