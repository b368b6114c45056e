"""How the bundled speech model ``asr/models/demo-en`` is made: synthesised calls in, CTranslate2 out.

``python -m training --help`` names the steps. Only ``model``, ``start``, ``losses``, ``train`` and ``export``
need torch; it is in the extra ``training`` and never in the base install.
"""
