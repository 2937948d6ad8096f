"""The indexes of a world, as the stages ask them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hephaestus.services import USER_AGENT
from hephaestus.services.http import HttpClient
from hephaestus.services.index import IndexClient
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import Index

__all__ = ["asking", "http_client", "index_client"]


def http_client() -> HttpClient:
    """A client with the suite's patience; close it."""
    return HttpClient(user_agent=USER_AGENT)


def index_client(index: Index, http: HttpClient) -> IndexClient:
    """A client of that index, over ``http``."""
    return IndexClient(
        index.simple_url,
        http=http,
        json_url=index.json_url,
        authorization=index.authorization or None,
        html=index.html,
    )


@contextmanager
def asking(context: Context, name: str) -> Iterator[IndexClient]:
    """A client of the world's index ``name``."""
    with http_client() as http:
        yield index_client(context.world.indexes[name], http)
