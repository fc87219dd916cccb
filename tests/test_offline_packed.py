"""Shards and tables: files of many samples, each augmented as it would be alone."""

import io
import sys
import tarfile

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from webdataset.tariterators import group_by_keys, tar_file_expander

import augfn as af
from augfn.distributed import ray_map
from augfn.offline import apply, invert, read_manifest, replay
from augfn.offline.pictures import encoded, read_image
from augfn.offline.shards import Shards, samples_in

F = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-30, 30)), af.brightness(factor=(0.7, 1.3)))
TURN = af.pipeline(af.hflip(p=1.0))


def pixels(i, channels=3):
    return np.random.default_rng(i).integers(0, 256, (10, 12, channels), np.uint8)


def file_of(array, form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form)
    return buffer.getvalue()


def shard(path, samples):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in samples.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = len(data), 1234, 77
            tar.addfile(info, io.BytesIO(data))
    return path


def sample(i, mask=True):
    found = {f"s{i}.png": file_of(pixels(i)), f"s{i}.cls": b"%d" % i, f"s{i}.json": b'{"a": 1}'}
    return found | ({f"s{i}.mask.png": file_of(pixels(i)[..., 0] % 3)} if mask else {})


@pytest.fixture
def shards(tmp_path):
    for k in range(3):
        shard(tmp_path / "in" / f"train-{k}.tar", sample(2 * k) | sample(2 * k + 1))
    return tmp_path / "in"


def bytes_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def members(path):
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}


def expected(i, copy=0):
    """The sample by itself, as PNG files."""
    x = {"image": af.to_float(pixels(i)), "mask": torch.from_numpy(pixels(i)[..., 0] % 3)}
    y, _ = F(x, None, af.sample_keys(af.key(5), i, copy))
    return y


def test_shards(shards, tmp_path):
    made = apply(shards, tmp_path / "out", F, copies=2, seed=5)
    assert [(r["index"], r["copy"]) for r in made.done] == [(i, c) for i in range(6) for c in range(2)]
    for i in range(6):
        for copy in range(2):
            found = members(tmp_path / "out" / f"train-{i // 2}-c{copy}.tar")
            y = expected(i, copy)
            image, mask = (np.asarray(Image.open(io.BytesIO(found[f"s{i}.{end}"]))) for end in ("png", "mask.png"))
            np.testing.assert_array_equal(image, af.to_uint8(y["image"]).permute(1, 2, 0).numpy())
            np.testing.assert_array_equal(mask, y["mask"].numpy())
            assert found[f"s{i}.cls"] == b"%d" % i
            assert found[f"s{i}.json"] == b'{"a": 1}'


def test_shards_are_the_same_bytes_with_workers_and_after_a_stop(shards, tmp_path):
    apply(shards, tmp_path / "one", F)
    apply(shards, tmp_path / "two", F, workers=2)
    assert bytes_in(tmp_path / "one") == bytes_in(tmp_path / "two")
    (tmp_path / "two" / "train-1.tar").unlink()
    apply(shards, tmp_path / "two", F)
    assert bytes_in(tmp_path / "one") == bytes_in(tmp_path / "two")
    with tarfile.open(tmp_path / "one" / "train-0.tar") as tar:
        known = [(m.name, m.mtime, m.uid, m.gid, m.uname, m.gname) for m in tar]
    assert [k[0] for k in known[:4]] == ["s0.cls", "s0.json", "s0.mask.png", "s0.png"]
    assert {k[1:] for k in known} == {(0, 0, 0, "", "")}


def test_webdataset_reads_them(shards, tmp_path):
    apply(shards, tmp_path / "out", TURN)
    with (tmp_path / "out" / "train-1.tar").open("rb") as stream:
        found = list(group_by_keys(tar_file_expander([{"url": "train-1.tar", "stream": stream}])))
    assert [s["__key__"] for s in found] == ["s2", "s3"]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found[0]["png"]))), pixels(2)[:, ::-1])
    assert found[0]["cls"] == b"2"


def test_two_members_of_one_name(shards, tmp_path):
    """A shard that cannot be told ends there; the others are done."""
    with tarfile.open(shards / "train-1.tar", "w") as tar:
        for name in ("s0.png", "s1.png", "s1.png"):
            data = file_of(pixels(0))
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    made = apply(shards, tmp_path / "out", TURN)
    assert [r["index"] for r in made.records] == [0, 1, 2, 3, 4, 5]
    (failed,) = made.failures
    assert "s1.png: duplicate file name" in failed["error"]
    assert failed["source"] == "train-1.tar"


def test_every_mask_of_a_sample_replays(tmp_path):
    given = sample(0) | {"s0.mask_lanes.png": file_of(pixels(3)[..., 0] % 2)}
    made = apply(shard(tmp_path / "in" / "a.tar", given), tmp_path / "out", TURN)
    assert made.done[0]["masks"] == ["a.tar/s0.mask.png", "a.tar/s0.mask_lanes.png"]
    for name in made.done[0]["masks"]:
        assert replay(made.out, name) == members(made.out / "a.tar")[name[6:]]


def test_names_that_begin_as_metadata_does(tmp_path):
    """Only `__...__` is of the shard itself."""
    given = {"__meta__": b"{}", "__1.png": file_of(pixels(1)), "__dir/2.png": file_of(pixels(2)), "__dir/2.cls": b"7"}
    made = apply(shard(tmp_path / "in" / "a.tar", given), tmp_path / "out", TURN)
    assert members(made.out / "a.tar").keys() == given.keys() - {"__meta__"}
    assert [r["source"] for r in made.done] == ["a.tar/__1", "a.tar/__dir/2"]


def test_a_format_for_the_images_alone(shards, tmp_path):
    apply(shards / "train-0.tar", tmp_path / "out", TURN, format="webp")
    assert sorted(members(tmp_path / "out" / "train-0.tar"))[:4] == ["s0.cls", "s0.json", "s0.mask.png", "s0.webp"]


def test_replay_and_inverse_of_a_member(shards, tmp_path):
    apply(shards, tmp_path / "out", F)
    found = members(tmp_path / "out" / "train-2.tar")
    record = read_manifest(tmp_path / "out")[5]
    assert (record["source"], record["output"]) == ("train-2.tar/s5", "train-2.tar/s5.png")
    assert replay(tmp_path / "out", record["output"]) == found["s5.png"]
    assert replay(tmp_path / "out", "train-2.tar/s5.mask.png") == found["s5.mask.png"]
    apply(shards, tmp_path / "turned", TURN)
    x, valid = invert(tmp_path / "turned", "train-2.tar/s5.png")
    np.testing.assert_array_equal(af.to_uint8(x).permute(1, 2, 0).numpy(), pixels(5))
    assert valid.all()


def test_what_cannot_be_read_is_listed_and_the_rest_is_done(shards, tmp_path):
    data = (shards / "train-1.tar").read_bytes()
    (shards / "train-1.tar").write_bytes(data[: data.index(b"s3.cls") + 100])  # torn, in its second sample
    shard(shards / "train-2.tar", sample(4) | {"s5.png": b"no image"} | {"s6.cls": b"1"} | sample(7))
    (shards / "train-3.tar").write_bytes(b"no tar")
    made = apply(shards, tmp_path / "out", F, seed=5)
    assert [(r["index"], r["source"]) for r in made.failures] == [
        (3, "train-1.tar"),
        (5, "train-2.tar/s5"),
        (6, "train-2.tar/s6"),
        (8, "train-3.tar"),
    ]
    assert [r["output"] for r in made.done][2:] == [f"train-{k}.tar/s{i}.png" for k, i in ((1, 2), (2, 4), (2, 7))]
    assert not (tmp_path / "out" / "train-3.tar").exists()
    shards.rename(tmp_path / "elsewhere")
    apply(tmp_path / "elsewhere", tmp_path / "again", F, seed=5)
    manifests = [(tmp_path / name / "manifest.jsonl").read_text() for name in ("out", "again")]
    assert manifests[0] == manifests[1]
    assert "s5 (image)" in manifests[0]
    assert "s5.png" not in members(tmp_path / "out" / "train-2.tar")


def test_a_torn_shard_is_seen_wherever_it_is_torn(shards, tmp_path):
    """Also where tarfile takes a header that is cut off for the end."""
    path, whole = tmp_path / "torn.tar", (shards / "train-0.tar").read_bytes()
    assert len(list(samples_in(shards / "train-0.tar"))) == 2
    for cut in range(0, len(whole.rstrip(b"\0")), 64):
        path.write_bytes(whole[:cut])
        with pytest.raises((tarfile.TarError, OSError)):
            list(samples_in(path, data=False))


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["a.png", "a.jpg"], "nothing is known"),
        (["a.png", "a.seg.png"], r"a\.seg\.png"),
        (["a.png", "a.label.png"], "mask"),
    ],
)
def test_pictures_of_which_nothing_is_known(tmp_path, names, match):
    shard(tmp_path / "in" / "a.tar", dict.fromkeys(names, file_of(pixels(0))))
    with pytest.raises(ValueError, match=match):
        apply(tmp_path / "in", tmp_path / "out", F)


def test_a_shard_is_whole_or_not_there(shards, tmp_path, monkeypatch):
    """A full disk stops the run; what was finished stays, and the same call goes on."""
    written = []

    def full(self, path, items, file):
        for item in items:
            file.write(b"half")
            written.append(item.name)
            if len(written) > 3:
                raise OSError(28, "No space left on device")
        file.write(b"done")

    monkeypatch.setattr(Shards, "write", full)
    with pytest.raises(OSError, match="No space left"):
        apply(shards, tmp_path / "out", F)
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.tar")) == ["train-0.tar"]
    assert not list((tmp_path / "out").rglob("parts/*"))
    monkeypatch.undo()
    (tmp_path / "out" / "train-0.tar").unlink()
    apply(shards, tmp_path / "out", F)
    apply(shards, tmp_path / "again", F)
    assert bytes_in(tmp_path / "out") == bytes_in(tmp_path / "again")


# tables


def table(path, **columns):
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=2, compression="zstd")
    return path


def hugging(path, n, start=0):
    features = {"photo": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    rows = {"photo": [Image.fromarray(pixels(start + i)) for i in range(n)], "label": [i % 2 for i in range(n)]}
    path.parent.mkdir(exist_ok=True)
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features)), path


@pytest.fixture
def tables(tmp_path):
    datasets.disable_progress_bars()
    for k in range(2):
        data, path = hugging(tmp_path / "in" / f"{k}.parquet", 3, 3 * k)
        data.to_parquet(path, batch_size=2)
    return tmp_path / "in"


def test_tables_of_hugging_face(tables, tmp_path):
    apply(tables, tmp_path / "out", F, seed=5)
    apply(tables, tmp_path / "two", F, seed=5, workers=2)
    assert bytes_in(tmp_path / "out") == bytes_in(tmp_path / "two")
    files = [str(tmp_path / "out" / f"{k}.parquet") for k in range(2)]
    data = datasets.Dataset.from_parquet(files, cache_dir=str(tmp_path / "cache"))
    assert isinstance(data.features["photo"], datasets.Image)
    assert data.features["label"].names == ["a", "b"]
    assert data["label"] == [0, 1, 0, 0, 1, 0]
    for i in range(6):
        want = af.to_uint8(F(af.to_float(pixels(i)), None, af.sample_keys(af.key(5), i))[0])
        np.testing.assert_array_equal(np.asarray(data[i]["photo"]), want.permute(1, 2, 0).numpy())
    assert pq.ParquetFile(files[0]).metadata.num_row_groups == 2
    assert replay(tmp_path / "out", "1.parquet/2/photo") == data.with_format("arrow")[5]["photo"][0].as_py()["bytes"]


def test_tables_of_bytes_with_masks_and_other_columns(tmp_path):
    images = [file_of(pixels(i), "JPEG") for i in range(3)]
    masks = [file_of(pixels(i)[..., 0] % 3) for i in range(2)] + [None]
    times = pa.array([1, 2, None], pa.timestamp("ns"))
    table(tmp_path / "in" / "a.parquet", id=[7, 8, 9], image=images, mask=masks, boxes=[[[1.5]], [], None], at=times)
    apply(tmp_path / "in", tmp_path / "out", F, copies=2, seed=5)
    file = pq.ParquetFile(tmp_path / "out" / "a-c1.parquet")
    found = file.read()
    assert found.drop(["image", "mask"]).equals(pq.read_table(tmp_path / "in" / "a.parquet").drop(["image", "mask"]))
    assert file.metadata.row_group(0).column(1).compression == "ZSTD"
    sources, looks = zip(*(read_image(io.BytesIO(data)) for data in images), strict=True)
    for i in range(3):
        x = {"image": af.to_float(sources[i]["image"])} | (
            {"mask": torch.from_numpy(pixels(i)[..., 0] % 3)} if i < 2 else {}
        )
        y, _ = F(x, None, af.sample_keys(af.key(5), i, 1))
        assert found["image"][i].as_py() == encoded(y, looks[i], ".jpg", 95)
        mask = found["mask"][i].as_py()
        assert mask is None if i == 2 else (np.asarray(Image.open(io.BytesIO(mask))) == y["mask"].numpy()).all()


def test_rows_that_fail_are_left_out(tmp_path):
    entries = [{"bytes": file_of(pixels(0)), "path": "a.PNG"}, {"bytes": b"no", "path": None}, None]
    entries += [{"bytes": file_of(pixels(3)), "path": "d.png"}, {"bytes": None, "path": "lost.png"}]
    table(tmp_path / "in" / "a.parquet", image=entries, id=[0, 1, 2, 3, 4])
    (tmp_path / "in" / "b.parquet").write_bytes(b"no table")
    made = apply(tmp_path / "in", tmp_path / "out", TURN, format="jpg")
    assert [r["index"] for r in made.failures] == [1, 2, 4, 5]
    assert "no image" in made.failures[1]["error"]
    assert "embed_table_storage" in made.failures[2]["error"]
    found = pq.read_table(tmp_path / "out" / "a.parquet")
    assert found["id"].to_pylist() == [0, 3]
    assert [e["path"] for e in found["image"].to_pylist()] == ["a.jpg", "d.jpg"]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"id": [1]}, "without images"),
        ({"mask": [b"x"]}, "without images"),
        ({"one": [{"bytes": b"x", "path": ""}], "two": [{"bytes": b"x", "path": ""}]}, "rename_column"),
    ],
)
def test_tables_without_images(tmp_path, columns, match):
    table(tmp_path / "in" / "a.parquet", **columns)
    with pytest.raises(ValueError, match=match):
        apply(tmp_path / "in", tmp_path / "out", F)


@pytest.mark.parametrize(
    ("lacking", "module", "settings", "extra"),
    [
        ("webdataset.tariterators", "augfn.offline.shards", {}, "offline"),
        ("pyarrow", "augfn.offline.tables", {"kind": "parquet"}, "offline"),
        ("ray", "augfn.offline.ray_engine", {"engine": "ray"}, "ray"),
    ],
)
def test_an_extra_that_is_missing_is_named(shards, tmp_path, monkeypatch, lacking, module, settings, extra):
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(ImportError, match=rf"pip install 'augfn\[{extra}\]'"):
        apply(shards, tmp_path / "out", F, **settings)


def test_ray_map_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ImportError, match=r"ray_map needs ray.*augfn\[ray\]"):
        ray_map(None, F, {"image": "image"}, af.key(0))
