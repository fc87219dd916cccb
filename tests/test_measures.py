"""Measures of representations and predictions: closed forms, plain loops, scipy and scikit-learn."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

import augfn as af
from augfn.analysis import measures as m
from augfn.analysis import predictions as p
from augfn.analysis import subspaces as spaces
from augfn.losses import jsd

KEY = af.key(7)


def noise(salt, *shape, dtype=torch.float64):
    return af.random.normal(af.fold_in(KEY, salt), shape).to(dtype)


def close(a, b, **how):
    torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), check_dtype=False, **how)


def rotation(salt, n):
    return torch.linalg.qr(noise(salt, n, n))[0]


KERNELS = [{"kernel": k, "debiased": d} for k in ("linear", "rbf") for d in (True, False)]
WIDE, TALL = noise(1, 9, 40), noise(1, 40, 6)  # more features than samples, and fewer
BLOCKS = pytest.mark.parametrize("x", [WIDE, TALL], ids=["wide", "tall"])
Y = {id(x): x + noise(2, *x.shape) for x in (WIDE, TALL)}


def partner(x):
    return Y[id(x)]


# sample by sample


@given(st.floats(-4, 4), st.integers(1, 5), st.integers(1, 30))
def test_a_scaled_representation(scale, n, features):
    x = noise(n, n, features)
    close(m.relative_l2(x, scale * x), torch.full((n,), abs(scale - 1), dtype=x.dtype))
    if abs(scale) > 1e-6:
        close(m.cosine(x, scale * x), torch.full((n,), math.copysign(1, scale), dtype=x.dtype))


def test_zeros_are_told():
    x, y = torch.tensor([[0.0, 0], [0, 0], [1, 1]]), torch.tensor([[0.0, 0], [1, 0], [0, 0]])
    assert m.relative_l2(x, y).tolist() == [0, math.inf, 1]
    assert m.cosine(x, y).tolist() == [1, 0, 0]
    a = torch.zeros(2, 3, requires_grad=True)
    (m.cosine(a, a) + m.relative_l2(a + 1, a + 1)).sum().backward()
    assert a.grad.isfinite().all()


def test_features_are_flattened():
    x, y = noise(3, 6, 2, 3, 4), noise(4, 6, 2, 3, 4)
    for f in (m.relative_l2, m.cosine, m.cka, spaces.procrustes, m.rsa, m.retention, spaces.svcca):
        close(f(x, y), f(x.flatten(1), y.flatten(1)))
    assert m.cosine(x[:, 0, 0, 0], y[:, 0, 0, 0]).shape == (6,)


# kernel alignment


@pytest.mark.parametrize("how", KERNELS)
@BLOCKS
def test_cka_knows_no_rotation_scale_or_shift(x, how):
    y = partner(x)
    turned = 3 * y @ rotation(5, y.shape[1]) + noise(6, 1, y.shape[1])
    close(m.cka(x, turned, **how), m.cka(x, y, **how))
    close(m.cka(x, 0.3 * x @ rotation(5, x.shape[1]) - 2, **how), 1.0)
    close(m.cka(y, x, **how), m.cka(x, y, **how))
    assert m.cka(x, x.clone(), **how) == 1  # exactly


def kernels(x, kernel, bandwidth=1.0):
    n = len(x)
    if kernel == "linear":
        return [[sum(a * b for a, b in zip(p, q, strict=True)) for q in x.tolist()] for p in x.tolist()]
    far = [[float((x[i] - x[j]).norm()) for j in range(n)] for i in range(n)]
    ordered = sorted(far[i][j] for i in range(n) for j in range(i))
    k = len(ordered)
    sigma = bandwidth * (ordered[(k - 1) // 2] + ordered[k // 2]) / 2
    return [[math.exp(-(d**2) / (2 * sigma**2)) for d in row] for row in far]


def u_statistic(k, other):
    """The mean over ordered 4-tuples of different samples, as Song et al. define HSIC_1."""
    tuples = list(itertools.permutations(range(len(k)), 4))
    return sum(k[s][t] * (other[s][t] + other[u][v] - 2 * other[s][u]) for s, t, u, v in tuples) / len(tuples)


def biased(k, other):
    n = len(k)
    k, other = (torch.tensor(z, dtype=torch.float64) for z in (k, other))
    h = torch.eye(n, dtype=torch.float64) - 1 / n
    return (k @ h @ other @ h).trace() / (n - 1) ** 2


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize(("n", "features"), [(7, 3), (7, 12), (8, 5)])  # of 7 an odd number of pairs, of 8 an even one
@pytest.mark.parametrize(("kernel", "bandwidth"), [("linear", 1.0), ("rbf", 1.0), ("rbf", 0.4)])
def test_hsic_against_loops(kernel, bandwidth, n, features, debiased):
    x, y = noise(8, n, features), noise(9, n, features + 1)
    y[:, :2] += x[:, :2]
    k, other = kernels(x, kernel, bandwidth), kernels(y, kernel, bandwidth)
    plain = u_statistic if debiased else biased
    want = [float(plain(a, b)) for a, b in ((k, other), (k, k), (other, other))]
    got = m.hsic_moments(x, y, kernel, debiased, bandwidth)
    close(got, torch.tensor(want, dtype=torch.float64), rtol=1e-9, atol=1e-12)
    close(m.cka(x, y, kernel, debiased, bandwidth), want[0] / math.sqrt(want[1] * want[2]))


@pytest.mark.parametrize("how", KERNELS)
def test_both_ways_to_the_kernel_agree(how):
    x, y = TALL, partner(TALL)
    more = torch.zeros(40, 60, dtype=x.dtype)
    close(m.hsic_moments(torch.cat([x, more], 1), torch.cat([y, more], 1), **how), m.hsic_moments(x, y, **how))


@pytest.mark.parametrize("size", [4, 5])
def test_the_mean_over_all_blocks_is_that_of_all_samples(size):
    x, y = noise(10, 8, 3), noise(11, 8, 20)
    blocks = [m.hsic_moments(x[list(b)], y[list(b)]) for b in itertools.combinations(range(8), size)]
    close(torch.stack(blocks).mean(0), m.hsic_moments(x, y))


def test_the_mean_over_random_blocks_is_unbiased():
    x = noise(12, 256, 30)
    y = x @ noise(13, 30, 30) + 8 * noise(14, 256, 30)
    orders = [torch.randperm(256).split(16) for _ in range(12)]
    blocks = torch.stack([torch.stack([m.hsic_moments(x[b], y[b]) for b in order]).mean(0) for order in orders])
    full, error = m.hsic_moments(x, y), blocks.std(0) / math.sqrt(len(orders))
    assert ((blocks.mean(0) - full).abs() < 4 * error).all()
    assert abs(m.cka_of(blocks.mean(0)) - m.cka(x, y)) < 0.01
    apart = torch.stack([m.hsic_moments(x[b], y[b], debiased=False) for b in orders[0]])
    assert m.cka_of(apart.mean(0)) > m.cka(x, y) + 0.2  # small blocks bias the biased one more


def test_debiased_cka_of_noise_is_near_0():
    found = torch.stack(
        [
            torch.stack([m.cka(*pair, debiased=d) for d in (True, False)])
            for i in range(12)
            for pair in [(noise(100 + i, 24, 3000), noise(200 + i, 24, 3000))]
        ]
    )
    mean, error = found.mean(0)[0], found.std(0)[0] / math.sqrt(len(found))
    assert abs(mean) < 4 * error < 0.1
    assert found[:, 1].min() > 0.95


def test_cka_where_it_is_not_defined():
    assert m.cka_of(torch.tensor([[1.0, -1, -1], [0, 0, 1], [1, 4, 1]])).isnan().tolist() == [True, True, False]
    x = noise(15, 6, 50, dtype=torch.float32)
    for how in KERNELS:
        for same in (torch.full((6, 50), 0.1), torch.full((6, 3), 0.1)):
            assert m.cka(x[:, : same.shape[1]], same, **how).isnan()
    assert m.cka(x.where(x < 2, torch.nan), x).isnan()


def test_cka_far_from_the_origin_in_float32():
    x, y = WIDE.float(), partner(WIDE).float()
    for how in KERNELS:
        close(m.cka(x + 1000, y - 1000, **how).double(), m.cka(x.double(), y.double(), **how), atol=1e-4, rtol=0)


# canonical correlations, Procrustes


def correlated(rho, scale=(1.0, 1.0, 1.0)):
    """Features whose canonical correlations are known: pairs of orthonormal, centred directions."""
    raw = noise(16, 30, 6)
    q = torch.linalg.qr(raw - raw.mean(0))[0]
    rho, scale = (torch.tensor(v, dtype=torch.float64) for v in (rho, scale))
    return q[:, :3] * scale, q[:, :3] * rho + q[:, 3:] * (1 - rho**2).sqrt()


RHO = (0.9, 0.5, 0.1)


def test_known_canonical_correlations():
    x, y = correlated(RHO, (1.0, 2.0, 5.0))
    a, b = noise(17, 3, 3), noise(18, 3, 3)
    close(spaces.cca(x, y), RHO)
    close(spaces.cca(x @ a + 5, 100 * y @ b - 1), RHO)
    close(spaces.cca(x, y[:, :2]), RHO[:2])
    close(spaces.svcca(x @ a, y @ b, variance=1.0), sum(RHO) / 3)
    weighted = sum(s * r for s, r in zip((1, 2, 5), RHO, strict=True)) / 8
    close(spaces.pwcca(x, y), weighted)
    close(spaces.pwcca(x + 1, y @ b + 1), weighted)
    close(spaces.pwcca(x, x @ a), 1.0)
    close(spaces.svcca(x, x @ a, variance=1.0), 1.0)


def test_svcca_keeps_what_explains_the_variance():
    x, y = correlated(RHO, (10.0, 1.0, 0.1))
    close(spaces.svcca(x, y, 0.95), spaces.cca(x[:, :1], y).mean())  # 100 / 101.01 is more than that
    close(spaces.svcca(x, y, 0.995), spaces.cca(x[:, :2], y).mean())
    wide = x @ noise(19, 3, 60)
    close(spaces.svcca(wide, y, 1.0), sum(RHO) / 3)
    kept = torch.linalg.svd(wide - wide.mean(0), full_matrices=False)
    u = kept.U[:, : int(((kept.S**2).cumsum(0) < 0.99 * (kept.S**2).sum()).sum()) + 1]
    close(spaces.svcca(wide, y, 0.99), spaces.cca(u, y).mean())
    assert spaces.svcca(torch.full((30, 4), 0.1), torch.rand(30, 4)).isnan()


def test_features_that_depend_on_others_do_not_count():
    x, y = correlated(RHO)
    more = torch.cat([x[:, :2], x[:, :1] - 3 * x[:, 1:2], torch.full((30, 1), 0.1, dtype=x.dtype), 1e-7 * x[:, 2:]], 1)
    for dtype, atol in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        got = spaces.cca(more.to(dtype), y.to(dtype))
        assert got.dtype == dtype
        close(got, torch.tensor(RHO, dtype=dtype), atol=atol, rtol=0)


@BLOCKS
def test_procrustes_against_scipy(x):
    linalg = pytest.importorskip("scipy.linalg")
    y = partner(x)
    a, b = ((z - z.mean(0)) / (z - z.mean(0)).norm() for z in (x, y))
    q, _ = linalg.orthogonal_procrustes(b.numpy(), a.numpy())
    close(spaces.procrustes(x, y), (a - b @ torch.from_numpy(q)).norm() ** 2)
    close(spaces.procrustes(x, y), 2 - 2 * float(linalg.svd((a.T @ b).numpy(), compute_uv=False).sum()))
    close(spaces.procrustes(x, 0.1 * y @ rotation(20, y.shape[1]) + 3), spaces.procrustes(x, y))
    assert all(spaces.procrustes(z, z) >= 0 for z in (x[: i + 2] for i in range(8)))
    close(spaces.procrustes(x, -2 * x @ rotation(20, x.shape[1]) + 3), 0.0, atol=1e-7, rtol=0)
    padded = torch.cat([y, torch.zeros(len(y), 50, dtype=y.dtype)], 1)
    close(spaces.procrustes(x, padded), spaces.procrustes(x, y))
    assert spaces.procrustes(x, torch.ones_like(x)).isnan()


def test_procrustes_of_what_shares_nothing_is_2():
    x = torch.tensor([[1.0], [-1], [0], [0]])
    close(spaces.procrustes(x, x.roll(2, 0)), 2.0)


# geometry


@given(st.lists(st.integers(0, 6), min_size=4, max_size=30))
def test_spearman_against_scipy(values):
    stats = pytest.importorskip("scipy.stats")
    a, b = torch.tensor(values).double(), noise(21, len(values)).round()
    if len(set(values)) > 1 and len(b.unique()) > 1:
        close(m.spearman(a, b), float(stats.spearmanr(a.numpy(), b.numpy()).statistic))
        close(m.ranks(a), torch.from_numpy(stats.rankdata(a.numpy())))
    else:
        assert m.spearman(a, b).isnan()


def test_spearman_of_a_batch():
    stats = pytest.importorskip("scipy.stats")
    a, b = noise(22, 3, 2, 9).round(decimals=1), noise(23, 3, 2, 9).round()
    got = m.spearman(a, b)
    for i, j in itertools.product(range(3), range(2)):
        close(got[i, j], float(stats.spearmanr(a[i, j].numpy(), b[i, j].numpy()).statistic))
    a[1, 1, 4] = torch.nan
    assert m.spearman(a, b).isnan().nonzero().tolist() == [[1, 1]]
    assert m.spearman(a[0, 0], a[0, 0]) == 1 == -m.spearman(a[0, 0], -a[0, 0])


@pytest.mark.parametrize("metric", m.METRICS)
@BLOCKS
def test_rsa_against_scipy(x, metric):
    stats = pytest.importorskip("scipy.stats")
    pdist = pytest.importorskip("scipy.spatial.distance").pdist
    y = partner(x)[:, :-1]
    want = stats.spearmanr(pdist(x.numpy(), metric), pdist(y.numpy(), metric)).statistic
    close(m.rsa(x, y, metric), float(want))
    close(m.rsa(x, 3 * x, metric), 1.0)
    assert m.rsa(x, x.clone(), metric) == 1


def test_rsa_of_samples_without_a_direction():
    """A sample of 0, or with all features equal, is at 1 from the others, and at 0 from its like."""
    x = torch.tensor([[0.0, 0, 0], [0, 0, 0], [1, 2, 4], [4, 2, 1]])
    assert m.distances(x, x, "cosine")[0].tolist() == [0, 0, 1, 1]
    assert m.distances(x + 1, x + 1, "correlation")[0].tolist() == [0, 0, 1, 1]
    assert m.rsa(x.where(x < 4, torch.nan), x).isnan()


def neighbours(x, y, k, metric):
    spatial = pytest.importorskip("scipy.spatial.distance")
    far = {n: spatial.cdist(z.numpy(), x.numpy(), metric) for n, z in (("x", x), ("y", y))}
    out = []
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i]
        near = [set(sorted(others, key=lambda j, n=n, i=i: far[n][i][j])[:k]) for n in ("x", "y")]
        out.append(len(near[0] & near[1]) / k)
    return out


@pytest.mark.parametrize("metric", m.METRICS)
@BLOCKS
def test_retention_against_a_loop(x, metric):
    y = partner(x)
    for k in (1, 3, len(x) - 1):
        close(m.retention(x, y, k, metric), neighbours(x, y, k, metric))
    assert m.retention(x, y, len(x) - 1).eq(1).all()
    assert m.retention(x, x.clone(), 3, metric).eq(1).all()
    close(m.retention(x, 3 * x, 3), torch.ones(len(x)))


def test_retention_by_chance():
    x, y = noise(24, 200, 50), noise(25, 200, 50)
    assert abs(m.retention(x, y, 5).mean() - 5 / 199) < 0.02
    y[3] = torch.nan
    assert m.retention(x, y).isnan().nonzero().tolist() == [[3]]


# variance


def test_normalized_variance_of_sums():
    """Of s_i + d_j it is var(d) / var(s); of s_i alone 0; of d_j alone inf."""
    s, d = noise(26, 5, 1, 2, 3), noise(27, 1, 8, 2, 3)
    close(m.normalized_variance(s + d), d.var(1)[0] / s.var(0)[0])
    still = 0.1 * torch.ones(7, 9, 4)
    assert m.normalized_variance(still).isnan().all()
    assert m.normalized_variance(s.float().expand(5, 8, 2, 3)).eq(0).all()
    assert m.normalized_variance(d.float().expand(5, 8, 2, 3)).isposinf().all()


def test_normalized_variance_of_noise_is_near_1():
    assert (m.normalized_variance(noise(28, 300, 300, 4)) - 1).abs().max() < 0.05


# predictions


def test_flips_count_places():
    x = torch.tensor([[2.0, 1], [0, 3], [1, 0]])
    assert p.flips(x, x.flip(1)).tolist() == [1, 1, 1]
    assert p.flips(x, 3 * x - 1).tolist() == [0, 0, 0]
    dense = noise(29, 2, 3, 4, 5)
    other = dense.clone()
    other[1, :, 0] = dense[1, :, 0].roll(1, 0)
    assert p.flips(dense, other).tolist() == [0, 0.25]
    other[0, 1, 2, 3] = torch.nan
    assert p.flips(dense, other).isnan().tolist() == [True, False]


def test_margins():
    probability = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    close(p.margin(probability.log() + 3), [0.2, 0.7])
    close(p.margin(torch.stack([probability, probability.flip(0)], -1).log()), [0.45, 0.45])


def test_divergence_of_each_sample():
    distance = pytest.importorskip("scipy.spatial.distance")
    x, y = noise(30, 6, 4), noise(31, 6, 4)
    close(p.jsd_each(x, y), distance.jensenshannon(x.softmax(1).numpy(), y.softmax(1).numpy(), axis=1) ** 2)
    close(p.jsd_each(x, y).mean(), jsd(x, y))
    maps = noise(32, 2, 2, 4, 3, 5)
    want = [[jsd(*(z[i, :, a, b][None] for z in maps)) for a in range(3) for b in range(5)] for i in range(2)]
    close(p.jsd_each(*maps), torch.tensor(want).double().mean(1), rtol=1e-5, atol=1e-6)


TABLE = [  # probability of the guess, whether it is right
    (0.82, True),  # the bin (0.8, 0.9]: accuracy 1, confidence 0.82
    (0.95, True), (0.92, True), (0.91, False),  # the bin (0.9, 1]: accuracy 2 / 3, confidence 2.78 / 3
    (0.65, False), (0.62, True),                # (0.6, 0.7]: 1 / 2, 1.27 / 2
    (0.55, True),                               # (0.5, 0.6]: 1, 0.55
]  # fmt: skip


def test_calibration_error_of_a_table():
    chance = torch.tensor([q for q, _ in TABLE])
    logits = torch.stack([chance, 1 - chance], 1).log()
    labels = torch.tensor([0 if right else 1 for _, right in TABLE])
    want = (abs(1 - 0.82) + abs(2 - 2.78) + abs(1 - 1.27) + abs(1 - 0.55)) / 7
    close(p.calibration_error(logits, labels, bins=10), want)
    close(p.calibration_error(logits, labels, bins=1), abs(5 - 5.42) / 7)
    dense, places = logits.T.reshape(1, 2, 7, 1), labels.reshape(1, 7, 1)
    close(p.calibration_error(dense, places, bins=10), want)


def test_bins_are_closed_above():
    """A probability of 1 / 2 is in (0, 1 / 2]: with 0.75 in one bin the gaps would cancel."""
    logits = torch.tensor([[0.0, 0], [math.log(3), 0]])
    close(p.calibration_error(logits, torch.tensor([0, 1]), bins=2), (0.5 + 0.75) / 2)
    close(p.calibration_error(logits, torch.tensor([0, 1]), bins=1), (0.75 - 0.5) / 2)


def test_a_calibrated_classifier():
    chance = af.random.uniform(KEY, (40000, 3)).double()
    probability = chance / chance.sum(1, keepdim=True)
    labels = (af.random.uniform(af.fold_in(KEY, 1), (40000, 1)) > probability.cumsum(1)).sum(1).clamp(max=2)
    assert p.calibration_error(probability.log(), labels) < 0.015
    assert p.calibration_error(5 * probability.log(), labels) > 0.2
    sure = torch.tensor([[100.0, 0], [0, 100]])
    assert p.calibration_error(sure, torch.tensor([0, 1])) == 0
    assert p.calibration_error(sure, torch.tensor([1, 0])) == 1


@pytest.mark.parametrize(("n", "features", "ridge"), [(60, 8, 1.0), (61, 8, 20.0), (40, 100, 1.0), (41, 100, 300.0)])
def test_probes_against_scikit_learn(n, features, ridge):
    pytest.importorskip("sklearn")
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = noise(33, n, features)
    labels = (x[:, :3] + noise(34, n, 3)).argmax(1)
    x[:, 1] = 0.1  # never changes
    y = x + 0.7 * noise(35, n, features)
    want = torch.full((n,), torch.nan)
    for judged, seen in ((0, 1), (1, 0)):
        probe = make_pipeline(StandardScaler(), Ridge(ridge))
        probe.fit(x[seen::2].numpy(), torch.nn.functional.one_hot(labels)[seen::2].numpy())
        a, b = (probe.predict(z[judged::2].numpy()).argmax(1) for z in (x, y))
        want[judged::2] = torch.from_numpy(a == b).float()
    assert 0.2 < want.mean() < 0.95
    assert p.probe_agreement(x, y, 3 * labels + 4, ridge).tolist() == want.tolist()
    assert p.probe_agreement(x, x.clone(), labels, ridge).eq(1).all()
    y[5, 0] = torch.nan
    assert p.probe_agreement(x, y, labels, ridge).isnan().nonzero().tolist() == [[5]]


# all of them

PAIRS = {
    "relative_l2": m.relative_l2,
    "cosine": m.cosine,
    **{f"cka {h['kernel']} {h['debiased']}": lambda x, y, h=h: m.cka(x, y, **h) for h in KERNELS},
    "svcca": spaces.svcca,
    "procrustes": spaces.procrustes,
    "rsa": m.rsa,
    "retention": m.retention,
    "probe_agreement": lambda x, y: p.probe_agreement(x, y, torch.arange(len(x)) // 2 % 3),
    "flips": p.flips,
    "jsd_each": p.jsd_each,
    "margin": lambda x, y: p.margin(y),
    "calibration_error": lambda x, y: p.calibration_error(y, torch.arange(len(x)) % 3),
    "normalized_variance": lambda x, y: m.normalized_variance(torch.stack([x, y], 1)),
}
NARROW = {"cca": spaces.cca, "pwcca": spaces.pwcca}


@pytest.mark.parametrize("name", PAIRS | NARROW)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    x, y = (z[:, :3] if name in NARROW else z for z in (noise(36, 12, 30, dtype=dtype), noise(37, 12, 30, dtype=dtype)))
    f = (PAIRS | NARROW)[name]
    before = x.clone(), y.clone()
    got = f(x, y)
    assert x.equal(before[0])
    assert y.equal(before[1])
    assert got.dtype == torch.float32
    assert f(x.float(), y.double()).dtype == torch.float64
    assert got.equal(f(x.float(), y.float()))
    close(got.double(), f(x.double(), y.double()), rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        close(f(x.float(), y.float()), got, rtol=1e-6, atol=1e-6)


SMOOTH = [n for n in PAIRS if n not in ("rsa", "retention", "flips", "probe_agreement")]


@pytest.mark.parametrize(("name", "features"), [*itertools.product(SMOOTH, (3, 9)), *((n, 3) for n in NARROW)])
def test_gradients(name, features):
    x, y = (noise(s, 7, features).requires_grad_() for s in (38, 39))
    assert gradcheck((PAIRS | NARROW)[name], (x, y))


@pytest.mark.parametrize("how", KERNELS)
def test_gradients_where_samples_are_alike(how):
    x = noise(40, 7, 9)
    x[1] = x[0]
    a = x.clone().requires_grad_()
    m.cka(a, noise(41, 7, 9), **how).backward()
    assert a.grad.isfinite().all()


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: m.cosine(torch.rand(3, 4), torch.rand(3, 5)), ValueError, "x and y differ"),
        (lambda: m.relative_l2(torch.rand(3, 4), torch.rand(1, 4)), ValueError, "x and y differ"),
        (lambda: m.cka(torch.rand(5, 4), torch.rand(6, 4)), ValueError, "same n samples"),
        (lambda: m.cka(torch.rand(3, 4), torch.rand(3, 4)), ValueError, "n >= 4"),
        (lambda: m.cka(torch.rand(1, 4), torch.rand(1, 4), debiased=False), ValueError, "n >= 2"),
        (lambda: m.cka(torch.rand(5, 0), torch.rand(5, 2)), ValueError, "one feature"),
        (lambda: m.cka(torch.rand(5, 4), torch.rand(5, 4), "rfb"), ValueError, "did you mean 'rbf'"),
        (lambda: m.cka(torch.rand(5, 4), torch.rand(5, 4), "rbf", bandwidth=0), ValueError, "bandwidth"),
        (lambda: m.cka(torch.ones(5, 4, dtype=torch.long), torch.rand(5, 4)), TypeError, "floating"),
        (lambda: m.cka_of(torch.rand(2)), ValueError, "hsic_moments"),
        (lambda: spaces.cca(torch.rand(5, 5), torch.rand(5, 2)), ValueError, "svcca"),
        (lambda: spaces.pwcca(torch.rand(5, 2), torch.rand(5, 9)), ValueError, "svcca"),
        (lambda: spaces.svcca(torch.rand(5, 2), torch.rand(5, 2), 99), ValueError, "variance"),
        (lambda: m.rsa(torch.rand(2, 4), torch.rand(2, 4)), ValueError, "n >= 3"),
        (lambda: m.rsa(torch.rand(4, 4), torch.rand(4, 4), "euclid"), ValueError, "did you mean 'euclidean'"),
        (lambda: m.spearman(torch.rand(4), torch.rand(5)), ValueError, "one shape"),
        (lambda: m.retention(torch.rand(5, 4), torch.rand(5, 4)), ValueError, "k < n"),
        (lambda: m.retention(torch.rand(5, 4), torch.rand(5, 4), 0), ValueError, "1 <= k"),
        (lambda: m.normalized_variance(torch.rand(5, 1, 4)), ValueError, "two or more"),
        (lambda: p.flips(torch.rand(5, 1), torch.rand(5, 1)), ValueError, "K >= 2"),
        (lambda: p.jsd_each(torch.rand(5, 3), torch.rand(5, 4)), ValueError, "one shape"),
        (lambda: p.margin(torch.rand(5)), ValueError, "logits"),
        (lambda: p.margin(torch.ones(5, 2, dtype=torch.long)), TypeError, "floating"),
        (lambda: p.calibration_error(torch.rand(5, 3), torch.rand(5, 3)), ValueError, "class indices"),
        (lambda: p.calibration_error(torch.rand(2, 3), torch.tensor([0, 3])), ValueError, "0 <= label < 3"),
        (lambda: p.calibration_error(torch.rand(2, 3), torch.tensor([0, 2]), 0), ValueError, "bins"),
        (lambda: p.probe_agreement(torch.rand(3, 4), torch.rand(3, 4), torch.arange(3)), ValueError, "n >= 4"),
        (lambda: p.probe_agreement(torch.rand(4, 4), torch.rand(4, 4), torch.arange(3)), ValueError, "labels"),
        (lambda: p.probe_agreement(torch.rand(4, 4), torch.rand(4, 4), torch.ones(4).long()), ValueError, "two or more"),
        (lambda: p.probe_agreement(torch.rand(4, 4), torch.rand(4, 4), torch.arange(4), 0), ValueError, "ridge"),
    ],
)  # fmt: skip
def test_bad_input_is_told(call, error, says):
    with pytest.raises(error, match=says):
        call()
