"""The logits that transformers computes, for `convert_check.py`: runs where torch is installed.

python benchmarks/hf_logits.py CHECKPOINT IDS.json OUT.npy
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM


def main(checkpoint: str, ids: str, target: str) -> None:
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    prompt = torch.tensor([json.loads(Path(ids).read_text())])
    with torch.no_grad():
        logits = model(prompt).logits[0].float().numpy()
    np.save(target, logits)


if __name__ == "__main__":
    main(*sys.argv[1:4])
