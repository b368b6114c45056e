"""The whole call center against simulated people, and every figure held against what they lived through."""

from callcenter.demo.options import DemoOptions
from callcenter.demo.run import run_demo

__all__ = ["DemoOptions", "run_demo"]
