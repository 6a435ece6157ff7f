"""QuantumLayer Studio: a brief becomes reviewed, tested commits."""

__version__ = "0.1.0"
