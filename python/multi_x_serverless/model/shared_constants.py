"""Constants of the model that both measuring and solving need, each with its unit and source.

What is estimated from runs is put into the same formulas again, so both must take the same numbers
(docs/problem-document.md, "Model").
"""

from __future__ import annotations

# One vCPU per 1,769 MB of memory: AWS Lambda's documentation.
MEMORY_MB_PER_VCPU = 1769.0

# Throughput between two functions in bytes per second; a single connection on a small function reaches about this.
BANDWIDTH_BYTES_PER_S = 100e6

# Size of a message without its payload: run, workflow and plan ids, placement (one byte a node), SNS wrapping.
MESSAGE_ENVELOPE_BYTES = 600.0

# Payloads above this many bytes travel through the object store: SNS's 256 KiB less the envelope.
INLINE_PAYLOAD_LIMIT_BYTES = 240_000.0

# Samples from which on an observed distribution counts fully; below, it is blended with another one
# (docs/problem-document.md, "Time of a scenario").
SAMPLES_THAT_COUNT_FULLY = 20
