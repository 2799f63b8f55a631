"""The tables that pages show between their marks."""

import pandas as pd
import pytest

from lab.report import blocks


@pytest.mark.parametrize(
    ("macs", "cell"),
    [
        (1_000_400, "0.0 %, 0.50 s"),
        (999_600, "0.0 %, 0.50 s"),
        (1_001_000, "+0.1 %, 0.50 s"),
        (999_000, "-0.1 %, 0.50 s"),
    ],
)
def test_a_count_beside_the_published_one_has_a_sign_only_where_it_differs(tmp_path, macs, cell):
    row = {"network": "VGG16", "tool": "ours", "macs": macs, "published_macs": 1_000_000, "seconds": 0.5, "error": None}
    pd.DataFrame([row]).to_csv(tmp_path / "peers.csv", index=False)
    assert blocks.peers(tmp_path).splitlines()[2] == f"| VGG16 | 0.001 billion | {cell} |"
