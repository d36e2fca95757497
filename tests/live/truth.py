"""Compares what mkmem says is true with smaps or with memoir's rows; it must not round in favour of
either."""
import memoir
import smaps

SUMS = ("rss_bytes", "uss_bytes", "shared_bytes", "pss_bytes", "swap_bytes", "swap_pss_bytes",
        "anon_bytes", "thp_bytes", "hugetlb_bytes")


def span(truth):
    return int(truth["start"], 16), int(truth["end"], 16)


def regions_of(truth, regions):
    """The regions within a truth's range."""
    start, end = span(truth)
    return [region for region in regions if region.start >= start and region.end <= end]


def label(truth):
    return f"truth ({truth['role']}, pid {truth['pid']}, {truth['start']}-{truth['end']})"


def _off(want_bytes, got, unit, pieces, name):
    """Whether a sum over pieces, each cut off to units, is not what a truth says."""
    want = want_bytes // unit
    slack = pieces - 1 if name in smaps.ROUNDED else 0
    return not want - slack <= got <= want


def _cover(truth, spans):
    start, end = span(truth)
    return spans and spans[0][0] == start and spans[-1][1] == end


def smaps_differences(truth, regions):
    """What smaps says otherwise than a truth."""
    found = regions_of(truth, regions)
    if not _cover(truth, [(region.start, region.end) for region in found]):
        return [f"{label(truth)}: smaps has {[str(region) for region in found[:4]]}"]
    bad = []
    if truth.get("regions") not in (None, len(found)):
        bad.append(f"{label(truth)}: {truth['regions']} regions, smaps has {len(found)}")
    want = {name: truth[name] for name in SUMS if name in truth}
    if "file_bytes" in truth:
        want["file_shmem_bytes"] = truth["file_bytes"] + truth["shmem_bytes"]
    for name, value in want.items():
        got = sum(region.get(name) for region in found)
        if _off(value, got, memoir.KB, len(found), name):
            bad.append(f"{label(truth)}: {name} {value}, smaps {got * memoir.KB}")
    return bad


def memoir_differences(truth, mapped, unit):
    """What memoir's rows of the process say otherwise than a truth, in units of so many bytes."""
    start, end = span(truth)
    found = sorted((row for row in mapped if memoir.span(row)[0] >= start and
                    memoir.span(row)[1] <= end), key=memoir.span)
    if not _cover(truth, [memoir.span(row) for row in found]):
        return [f"{label(truth)}: memoir has {[(r['start'], r['end']) for r in found[:4]]}"]
    bad = []
    for name in (*SUMS, "file_bytes", "shmem_bytes"):
        if name not in truth or (name == "hugetlb_bytes" and name not in found[0]):
            continue
        got = memoir.total(found, name)
        if got is None or _off(truth[name], got // unit, unit, len(found), name):
            bad.append(f"{label(truth)}: {name} {truth[name]}, memoir {got}")
    return bad + [text for row in found for text in _path_differences(truth, row)]


def text_is(row, key, raw):
    """Whether a string field is these bytes, as the contract has it."""
    try:
        return row.get(key) == raw.decode("utf-8")
    except UnicodeDecodeError:
        return "\ufffd" in (row.get(key) or "") and row.get(f"{key}_hex") == raw.hex()


def _path_differences(truth, row):
    if "path_hex" not in truth:
        return []
    raw = bytes.fromhex(truth["path_hex"])
    good = text_is(row, "path", raw) or (truth["deleted"] and
                                         text_is(row, "path", raw + b" (deleted)"))
    return [] if good else [f"{label(truth)}: path {raw!r}, memoir {row.get('path')!r} "
                            f"{row.get('path_hex')!r}"]


def process_differences(truth, row):
    """What a row of ps says otherwise about the process: its name and its peers."""
    bad = []
    if "comm_hex" in truth and not text_is(row, "comm", bytes.fromhex(truth["comm_hex"])):
        bad.append(f"{label(truth)}: comm {bytes.fromhex(truth['comm_hex'])!r}, "
                   f"ps {row.get('comm')!r} {row.get('comm_hex')!r}")
    if "peer" in truth and memoir.peers(row) != {truth["pid"], truth["peer"]}:
        bad.append(f"{label(truth)}: peers {truth['peer']}, ps {sorted(memoir.peers(row))}")
    return bad
