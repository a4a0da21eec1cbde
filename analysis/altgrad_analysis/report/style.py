"""The page's style sheet. Colours are variables, once for light and once for dark; print is light.

The six colours of lines are Okabe and Ito's, told apart by most colour-blind readers (the yellow,
faint on white, left out; lighter ones on dark). A format has a dash pattern beside its colour, and
a verdict its word.
"""

LIGHT = """
--back:#ffffff;--ink:#1b1b1b;--soft:#5a5a5a;--grid:#e7e7e7;--edge:#b5b5b5;--zone:#ececec;
--box:#f6f6f6;--link:#0b57a4;
--s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#b5568f;--s4:#c98300;--s5:#3b9fd6;
--same:#ddebd8;--worse:#f8d3b2;--better:#c5e1f5;--open:#f5efcb;--diverged:#d6d6d6;--none:#f4f4f4;
"""
DARK = """
--back:#16181b;--ink:#e9e9e9;--soft:#a9adb3;--grid:#2c3036;--edge:#5b616a;--zone:#2a2e34;
--box:#1f2226;--link:#8ec5ff;
--s0:#56b4e9;--s1:#ff8c42;--s2:#35c79a;--s3:#e79bc6;--s4:#f0c24b;--s5:#b59cff;
--same:#24402a;--worse:#5c3413;--better:#173f5e;--open:#4a431c;--diverged:#45484d;--none:#24272b;
"""

RULES = """
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
 font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 16px}
h1{font-size:1.6rem;margin:1.2rem 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.2rem 0 .3rem;padding-top:.6rem;border-top:1px solid var(--edge)}
p{margin:.35rem 0;max-width:82ch}
a{color:var(--link)}
.soft,.note{color:var(--soft);font-size:.88rem}
.note{overflow-wrap:anywhere}
nav{font-size:.88rem;columns:260px auto;margin:.8rem 0}
nav a{display:block;padding:2px 0;break-inside:avoid}
.facts{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;margin:.6rem 0;padding:0}
.facts div{overflow-wrap:anywhere}
.facts b{font-variant-numeric:tabular-nums}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,350px),1fr));
 gap:14px 18px;align-items:start;margin:.6rem 0}
.panels.pairs{grid-template-columns:repeat(auto-fit,minmax(min(100%,max(350px,34%)),1fr))}
figure{margin:0;max-width:560px;min-width:0}
figure.whole{grid-column:1/-1;max-width:none}.whole td{max-width:none}.whole table{width:auto}.whole th{white-space:normal}
figcaption{font-weight:600;font-size:.88rem;overflow-wrap:anywhere;margin-bottom:2px}
figcaption span{font-weight:400;color:var(--soft)}
figure>svg{display:block;width:100%;height:auto;overflow:visible}
svg svg{overflow:hidden}
.key{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:.5rem 0;font-size:.85rem}
.key span{display:inline-flex;align-items:center;gap:.4rem;overflow-wrap:anywhere;min-width:0}
.key svg{width:30px;height:10px;flex:none}
table{border-collapse:collapse;width:100%;font-size:.8rem;font-variant-numeric:tabular-nums}
th,.i{white-space:nowrap}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:1px solid var(--edge)}
th,td{padding:3px 5px;vertical-align:top;overflow-wrap:break-word}
td{max-width:12em}
td.v{font-weight:600}
.wide{overflow-x:auto}
tr.same td{background:var(--same)}tr.worse td{background:var(--worse)}
tr.better td{background:var(--better)}tr.open td{background:var(--open)}
tr.diverged td{background:var(--diverged)}tr.none td{background:var(--none)}
tr.confirmed td{background:var(--same)}tr.refuted td{background:var(--worse)}
tr td{border-bottom:1px solid var(--back)}
.warn{background:var(--box);border-left:4px solid var(--s1);padding:.5rem .8rem;max-width:90ch}
.left li{margin:.2rem 0}
svg text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--ink)}
svg .t{fill:var(--soft)}svg .label{fill:var(--ink)}svg .small{font-size:9.5px}
svg .dark{fill:#111}svg .light{fill:#fff}svg .strong{fill:var(--ink);font-weight:600}
.grid{stroke:var(--grid);fill:none}.rule{stroke:var(--soft);fill:none}
.floor{stroke:var(--soft);fill:none;stroke-dasharray:5 3}
.zone{fill:var(--zone)}
.line{fill:none;stroke:var(--c,var(--ink));stroke-width:1.7;stroke-linejoin:round}
.cb{--c:var(--ink)}.line.cb{stroke-width:1.2}.thin{stroke-width:.8;opacity:.75}.heavy{stroke-width:2.6}
.band{fill:var(--c,var(--ink));opacity:.16;stroke:none}
.dot{fill:var(--c,var(--ink))}
.dot.hollow,.dot.ring{fill:var(--back);stroke:var(--c,var(--ink));stroke-width:1.5}
.cells{shape-rendering:crispEdges}
.c0{--c:var(--s0)}.c1{--c:var(--s1)}.c2{--c:var(--s2)}.c3{--c:var(--s3)}.c4{--c:var(--s4)}
.c5{--c:var(--s5)}
.d1{stroke-dasharray:6 2.5}.d2{stroke-dasharray:2 2}.d3{stroke-dasharray:8 2.5 2 2.5}
.d4{stroke-dasharray:4 2 1.5 2 1.5 2}
"""

PRINT = """
@media screen and (max-width:480px){th,td{padding:3px}.i{white-space:normal}}
@media print{body{font-size:10.5pt}nav,.csv{display:none}h2,section>p.soft,.key{break-after:avoid}
 figure,tr,p,.key{break-inside:avoid}main,header,footer{max-width:none;padding:0}
 .panels{grid-template-columns:repeat(2,1fr)}
 *{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""


def sheet():
    return (
        f":root{{color-scheme:light dark;{LIGHT}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{DARK}}}}}{RULES}{PRINT}"
    )


# Dark blue to yellow, even in lightness, which tells it to all (after the colour map cividis).
_ANCHORS = ((0, 32, 77), (49, 68, 107), (102, 105, 112), (149, 143, 120), (202, 185, 105),
            (255, 234, 70))  # fmt: skip
STEPS = 24


def sequential(share):
    """ "#rrggbb" for 0 to 1, in STEPS steps, and whether white is read on it."""
    share = round(min(max(share, 0.0), 1.0) * (STEPS - 1)) / (STEPS - 1)
    place = share * (len(_ANCHORS) - 1)
    low = min(int(place), len(_ANCHORS) - 2)
    rgb = [a + (b - a) * (place - low) for a, b in zip(_ANCHORS[low], _ANCHORS[low + 1])]
    return "#" + "".join(f"{round(c):02x}" for c in rgb), share < 0.5


def diverging(share):
    """For -1 (blue) over 0 (nearly white) to 1 (orange), and whether white is read on it."""
    end = (0, 90, 150) if share < 0 else (190, 75, 0)
    size = min(abs(share), 1.0)
    rgb = [round(240 + (c - 240) * size) for c in end]
    return "#" + "".join(f"{c:02x}" for c in rgb), size > 0.62
