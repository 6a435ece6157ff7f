"""The stages, one module each; `studio.pipeline.workflow` tells their story."""
