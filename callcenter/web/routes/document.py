"""``/api/v1/openapi.json``: the contract of the API."""

import json
from importlib import resources

import yaml
from aiohttp import web


class DocumentRoutes:
    """The document ``openapi.yaml``, as JSON, read once."""

    def __init__(self) -> None:
        text = resources.files("callcenter.web").joinpath("openapi.yaml").read_text(encoding="utf-8")
        self._body = json.dumps(yaml.safe_load(text), default=str)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.get("/api/v1/openapi.json", self.get)]

    async def get(self, _request: web.Request) -> web.Response:
        """The document."""
        return web.Response(text=self._body, content_type="application/json")
