"""A report as one HTML page that needs nothing beside it: plots, tables, and the most harmful samples."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

try:
    import jinja2
except ImportError as error:
    raise ImportError("pages need jinja2: pip install jinja2 (it is in augfn[analysis])") from error

from torch import Tensor

from augfn import __version__
from augfn.analysis.scores import EMBEDDING, OUTPUT
from augfn.analysis.tables import Table
from augfn.app import viz

SHOWN = 8  # of the most harmful samples
STYLE = """  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; }
  h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
  code { background: #f2f2f2; padding: .1rem .3rem; overflow-wrap: anywhere; }
  img { max-width: 100%; } .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 13px; } th, td { padding: .2rem .7rem; text-align: left; white-space: nowrap; }
  th { border-bottom: 2px solid #888; position: sticky; top: 0; background: #fff; } tr:nth-child(even) td { background: #f6f6f6; }
  .samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 1.2rem; }
  figure { margin: 0; } figcaption { font-size: 13px; } summary { cursor: pointer; font-weight: 600; }
  pre { background: #f2f2f2; padding: .8rem; overflow-x: auto; }
"""
HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{{{ title }}}}</title>
<style>
{STYLE}</style>
</head>
<body>
"""
PAGE = (
    HEAD
    + """<h1>{{ title }}</h1>
<p>{{ report.model }} on {{ images }} image{{ "s" if images != 1 }}, {{ report.plan.draws }} draws of each, by
<code>{{ augment }}</code>; key {{ report.plan.key.tolist() }}; augfn {{ version }}.</p>
<ul>{% for note in report.said() %}<li>{{ note }}</li>{% endfor %}</ul>
<h2>At a glance</h2>
<p><img alt="Measures by layer, shares of the ops, predictions" src="data:image/png;base64,{{ plot }}"></p>
<h2>Embedding and predictions</h2>
<div class="wide">{{ embedding }}</div>
{% if samples %}<h2>The most harmful samples</h2>
<div class="samples">{% for s in samples %}<figure>
<img alt="image {{ s.harm.image }}, clean and augmented" src="data:image/png;base64,{{ s.png }}">
<figcaption>image {{ s.harm.image }}{{ s.name }}, draw {{ s.harm.draw }}, {{ s.harm.by }} {{ s.score }}<br>
{% if s.harm.predicted %}{{ s.harm.predicted }}<br>{% endif %}{{ s.harm.words }}</figcaption>
</figure>{% endfor %}</div>{% endif %}
<h2>Layers</h2>
<div class="wide">{{ layers }}</div>
<h2>Ops</h2>
<p>(Of {{ report.blamed }} of the draws.)
A Shapley value is the mean of what an op adds to the effect; those of all ops sum to the whole. The share is that of the
whole effect ("-" where the whole is not clearly different from 0), "left_out" what is missing without the op.</p>
{% for which, table in ops %}<details{{ " open" if loop.first }}><summary>{{ which }}</summary>
<div class="wide">{{ table }}</div></details>{% endfor %}
</body>
</html>
"""
)


def save(report: Any, path: str | Path, title: str) -> Path:
    """Write the page of a `Report`, and return where it lies."""
    path = Path(path)
    path.write_text(page(report, title), encoding="utf-8")
    return path


def page(report: Any, title: str) -> str:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    ops = [(op, report.ops.where(op=op)) for op in report.steps]
    whole = Table(report.ops.columns, [row for row in report.ops.rows if row[1] in (EMBEDDING, OUTPUT)])
    return environment.from_string(PAGE).render(
        title=title,
        report=report,
        images=len(report.plan.source),
        augment=repr(report.plan.f),
        version=__version__,
        plot=png(report.plot()),
        embedding=safe(report.embedding),
        layers=safe(report.layers),
        ops=[("what they do to the embedding and to predictions", safe(whole)), *((op, safe(t)) for op, t in ops)],
        samples=[sample(report, harm) for harm in report.worst(SHOWN)],
    )


def safe(table: Table) -> Any:
    from markupsafe import Markup

    return Markup(table._repr_html_())


def sample(report: Any, harm: Any) -> dict[str, Any]:
    """What is shown of one draw."""
    before, after = report.pictures(harm.image, harm.draw)
    figure = viz.grid([before.float().cpu(), after.float().cpu()], titles=["clean", "augmented"])
    source = report.plan.source
    names = None if isinstance(source, Tensor) else getattr(source, "names", None)  # a tensor's are of its dims
    return {
        "harm": harm,
        "name": f" ({names[harm.image]})" if names else "",
        "score": f"{harm.score:.3g}",
        "png": png(figure),
    }


def png(figure: Any) -> str:
    """A figure as base64."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return base64.b64encode(file.getvalue()).decode()
