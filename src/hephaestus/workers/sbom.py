"""Write and validate a CycloneDX bill of materials with CycloneDX's own library, the same bytes for the same input.

Request: ``{"root": name, "wheels": [{"path", "file", "sha256"}], "extras": [str], "environments": [marker
environment], "epoch": int, "output": path}``; who needs whom is told for the environments (an empty one: this Python).
Answer: ``{"components": int, "serial": str, "spec": str, "unlicensed": [name], "problem": str}``; with a ``problem``
the output is no valid bill of materials.
"""

from __future__ import annotations

import json
import sys
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_SPEC = SchemaVersion.V1_6


def main(request_path: str) -> int:
    """Answer one request."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    wheels: dict[str, tuple[Message, Mapping[str, Any]]] = {}
    for wheel in request["wheels"]:
        described = read_metadata(Path(wheel["path"]))
        wheels[str(canonicalize_name(described["Name"]))] = (described, wheel)
    asked = Asked(extras=tuple(request["extras"]), environments=tuple(request["environments"]))
    bom = bill(wheels, root=canonicalize_name(request["root"]), asked=asked, epoch=request["epoch"])
    text = JsonV1Dot6(bom).output_as_string(indent=1) + "\n"
    problem = JsonStrictValidator(_SPEC).validate_str(text)
    Path(request["output"]).write_text(text, encoding="utf-8", newline="\n")
    answer = {
        "components": len(bom.components) + 1,
        "serial": bom.serial_number.urn,
        "spec": _SPEC.to_version(),
        "unlicensed": sorted(name for name, (described, _) in wheels.items() if not licences(described)),
        "problem": str(problem or ""),
    }
    print(json.dumps(answer))  # noqa: T201 - the answer
    return 0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """For what the bill is: the extras of the released distribution, and the marker environments it is used in."""

    extras: tuple[str, ...]
    environments: tuple[Mapping[str, str], ...]

    def holds(self, marker: Marker | None, extras: Iterable[str]) -> bool:
        """Whether a requirement with this marker counts, with these extras, in any of the environments."""
        return marker is None or any(
            marker.evaluate({**one, "extra": extra}) for one in self.environments for extra in ("", *extras)
        )


def bill(wheels: Mapping[str, tuple[Message, Mapping[str, Any]]], *, root: str, asked: Asked, epoch: int) -> Bom:
    """The bill: the released distribution, everything it needs, and who needs whom."""
    components = {name: component(name, *wheel, root=name == root) for name, wheel in wheels.items()}
    # Derived, because a random serial number and the time of day would make every run another file.
    identity = "\n".join(sorted(f"{name} {wheel['sha256']}" for name, (_, wheel) in wheels.items()))
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{components[root].purl}\n{identity}"),
        metadata=BomMetaData(
            component=components[root],
            timestamp=datetime.fromtimestamp(epoch, timezone.utc),  # noqa: UP017 - as the library writes it
        ),
        components=[components[name] for name in sorted(components) if name != root],
    )
    for name, (described, _) in wheels.items():
        extras = asked.extras if name == root else activated(wheels, name, root, asked)
        wanted = needs(described, extras=extras, asked=asked)
        bom.register_dependency(components[name], [components[need] for need in sorted(wanted & set(components))])
    return bom


def component(name: str, described: Message, wheel: Mapping[str, Any], *, root: bool) -> Component:
    """One wheel as a component; its bom-ref is its purl, so that nothing random names it."""
    purl = PackageURL(type="pypi", name=name, version=described["Version"])
    return Component(
        type=ComponentType.APPLICATION if root else ComponentType.LIBRARY,
        name=described["Name"],
        version=described["Version"],
        bom_ref=BomRef(purl.to_string()),
        purl=purl,
        description=described["Summary"] or None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel["sha256"])],
        licenses=licences(described),
        properties=[Property(name="hephaestus:wheel", value=wheel["file"])],
    )


def licences(described: Message) -> list[Any]:
    """What the metadata says: an SPDX expression, else a short License field, else the classifiers' names."""
    factory = LicenseFactory()
    declared = LicenseAcknowledgement.DECLARED
    if expression := described["License-Expression"]:
        return [factory.make_from_string(expression, license_acknowledgement=declared)]
    text = (described["License"] or "").strip()
    if text and "\n" not in text and len(text) <= 100:
        try:
            return [factory.make_from_string(canonicalize_license_expression(text), license_acknowledgement=declared)]
        except InvalidLicenseExpression:
            return [factory.make_with_name(text, acknowledgement=declared)]
    names = [
        classifier.rpartition("::")[2].strip()
        for classifier in described.get_all("Classifier", [])
        if classifier.startswith("License ::") and not classifier.endswith("OSI Approved")
    ]
    return [DisjunctiveLicense(name=name, acknowledgement=declared) for name in sorted(set(names))]


def needs(described: Message, *, extras: Iterable[str], asked: Asked) -> set[str]:
    """The canonical names this distribution requires with these extras."""
    extras = tuple(extras)
    requirements = [Requirement(line) for line in described.get_all("Requires-Dist", [])]
    return {str(canonicalize_name(one.name)) for one in requirements if asked.holds(one.marker, extras)}


def activated(wheels: Mapping[str, tuple[Message, Mapping[str, Any]]], name: str, root: str, asked: Asked) -> set[str]:
    """The extras of ``name`` that some other distribution asks for."""
    found: set[str] = set()
    for other, (described, _) in wheels.items():
        for line in described.get_all("Requires-Dist", []):
            requirement = Requirement(line)
            if canonicalize_name(requirement.name) != name or not requirement.extras:
                continue
            if asked.holds(requirement.marker, asked.extras if other == root else ()):
                found |= requirement.extras
    return found


def read_metadata(wheel: Path) -> Message:
    """The METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1)
        return message_from_bytes(archive.read(name))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
