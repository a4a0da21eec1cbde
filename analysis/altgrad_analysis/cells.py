"""What a cell of Results.table() says in words."""

STATUSES = ("done", "diverged", "failed", "pending")
COMPLETE = ("done", "diverged")


def verdict_of(cell):
    """As in the summary; and "diverged" where no run is left to compare."""
    if cell["done"] == 0 and cell["diverged"] > 0:
        return "diverged"
    return cell["verdict"]


def missing(cell):
    """The runs without a result: "1 of 3 diverged, 2 pending"; and how many pairs there are, where
    they are fewer than the results."""
    total = sum(int(cell[word]) for word in STATUSES)
    valued = int(cell["done"] - cell["without_value"])
    phrases = {
        "diverged": f"{{}} of {total} diverged",
        "baseline_diverged": f"baseline diverged in {{}} of {total}",
        "without_value": "{} without a value",
        "failed": "{} failed",
        "pending": "{} pending",
    }
    words = [phrase.format(int(cell[word])) for word, phrase in phrases.items() if cell[word]]
    if cell["verdict"] != "baseline" and 0 < cell["pairs"] < valued:
        words.append(f"{int(cell['pairs'])} pair" + "s" * (cell["pairs"] > 1))
    return ", ".join(words)
