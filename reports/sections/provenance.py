"""Where the numbers come from: enough to make them again."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Cell, Facts, Section, table
from reports.format import count, plain
from reports.language import say


def build(result: AuditResult) -> Section:
    """Model, data, seed, command, terms, versions, and the hash of every file read."""
    run = result.run
    of_data = result.task == "data"
    simulated = say("simulated") if run.simulated else say("not marked as simulated")
    facts = [
        (say("data set") if of_data else say("model"), plain(run.model)),
        (say("faces") if of_data else say("data"), plain(run.data or "") or say("not stated")),
        (say("faces are"), simulated),
        (say("seed"), str(run.seed)),
        (say("command"), plain(run.command or "") or say("not recorded")),
        (say("terms of the model and the data"), plain(run.terms or "") or say("not stated")),
        (say("schema of the record"), result.schema_),
    ]
    blocks: list[Block] = [Facts(tuple(facts))]
    if run.files:
        rows = [
            [Cell(plain(f.name), head=True), Cell(count(f.bytes), sort=f.bytes), Cell(f.sha256)]
            for f in run.files
        ]
        heads = (say("file"), say("bytes"), "SHA-256")
        blocks.append(table("files", say("Files read"), heads, rows))
    if run.versions:
        versions = [[Cell(plain(k), head=True), Cell(plain(v))] for k, v in run.versions.items()]
        heads2 = (say("package"), say("version"))
        blocks.append(table("versions", say("Versions"), heads2, versions))
    return Section("provenance", say("Provenance"), tuple(blocks))
