"""The project's own benchmark: bridges as they are deployed, under the same load, in one run.

``python -m bench`` measures (see README.md); ``python -m bench.parts`` says where a frame's time goes.
"""
