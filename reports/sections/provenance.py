"""Where the numbers come from: enough to make them again."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Cell, Facts, Section, table
from reports.format import count, plain


def build(result: AuditResult) -> Section:
    """Model, data, seed, command, terms, versions, and the hash of every file read."""
    run = result.run
    facts = [
        ("data set" if result.task == "data" else "model", plain(run.model)),
        ("faces" if result.task == "data" else "data", plain(run.data or "") or "not stated"),
        ("faces are", "simulated" if run.simulated else "not marked as simulated"),
        ("seed", str(run.seed)),
        ("command", plain(run.command or "") or "not recorded"),
        ("terms of the model and the data", plain(run.terms or "") or "not stated"),
        ("schema of the record", result.schema_),
    ]
    blocks: list[Block] = [Facts(tuple(facts))]
    if run.files:
        rows = [
            [Cell(plain(f.name), head=True), Cell(count(f.bytes), sort=f.bytes), Cell(f.sha256)]
            for f in run.files
        ]
        blocks.append(table("files", "Files read", ("file", "bytes", "SHA-256"), rows))
    if run.versions:
        versions = [[Cell(plain(k), head=True), Cell(plain(v))] for k, v in run.versions.items()]
        blocks.append(table("versions", "Versions", ("package", "version"), versions))
    return Section("provenance", "Provenance", tuple(blocks))
