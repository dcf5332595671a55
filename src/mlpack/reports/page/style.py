"""How the page looks: light and dark by the reader's setting, dark ink on paper, one column on a phone."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --ground: #ffffff; --panel: #f6f7f9; --ink: #1c2430; --soft: #5b6675; --line: #dfe3e8;
  --ok: #1a7f4b; --bad: #c62f2f; --open: #9a6700; --idle: #6b7480; --badge-ink: #ffffff;
  --anon: #4a7fc1; --mapped: #a9c9ea; --kernel: #7b5ea7; --shm: #4fa7a0; --load: #f1e6c8; --mark: #c62f2f; }
@media screen and (prefers-color-scheme: dark) { :root {
  --ground: #14181e; --panel: #1d232b; --ink: #e6eaf0; --soft: #9aa5b4; --line: #343c47;
  --ok: #4cc38a; --bad: #ff7b72; --open: #e3b341; --idle: #8b949e; --badge-ink: #10141a;
  --anon: #5b93d8; --mapped: #31567f; --kernel: #a98bd6; --shm: #58b8b0; --load: #3a3524; --mark: #ff7b72; } }
* { box-sizing: border-box; }
body { overflow-wrap: anywhere;
  margin: 0 auto; padding: 24px 20px 48px; max-width: 1120px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 4px; }
p { margin: 4px 0 10px; }
.said, footer { color: var(--soft); font-size: 14px; }
.badge { display: inline-block; border-radius: 4px; padding: 1px 8px; font-size: 13px; font-weight: 600;
  color: var(--badge-ink); white-space: nowrap; justify-self: start; }
.passed { background: var(--ok); } .failed { background: var(--bad); }
.not_proven { background: var(--open); } .skipped { background: var(--idle); }
.verdict { font-size: 15px; padding: 4px 12px; margin-bottom: 8px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 18px 0 8px; }
.tile { background: var(--panel); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 21px; line-height: 1.3; overflow-wrap: anywhere; }
.tile span { color: var(--soft); font-size: 13px; }
.note { border-left: 4px solid var(--open); background: var(--panel); padding: 8px 12px; border-radius: 4px; }
.wrong { border-left-color: var(--bad); }
.note ul { margin: 4px 0; padding-left: 20px; } .note li { overflow-wrap: anywhere; }
.bad { color: var(--bad); font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px;
  align-items: start; }
figure { margin: 0; background: var(--panel); border-radius: 8px; padding: 12px 12px 10px; break-inside: avoid; }
figcaption { font-size: 14px; margin-bottom: 6px; }
svg { display: block; width: 100%; height: auto; max-width: 640px; }
svg text { font-size: 12px; fill: var(--soft); paint-order: stroke; stroke: var(--panel); stroke-width: 3px; }
 svg text.strong { fill: var(--ink); }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); fill: none; }
.area.anon, .key.anon { fill: var(--anon); background: var(--anon); }
.area.mapped, .key.mapped { fill: var(--mapped); background: var(--mapped); }
.area.kernel, .key.kernel { fill: var(--kernel); background: var(--kernel); }
.area.shm, .key.shm { fill: var(--shm); background: var(--shm); }
rect.load, .key.load { fill: var(--load); background: var(--load); }
.bar { fill: var(--anon); } .mark { stroke: var(--mark); stroke-width: 1.5; }
.line { fill: none; stroke-width: 2; } .line.limit { stroke: var(--bad); }
.line.predicted { stroke: var(--ink); stroke-dasharray: 6 4; stroke-width: 1.5; }
.peak { fill: var(--ground); stroke: var(--ink); stroke-width: 1.5; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--soft); margin-top: 6px; }
.legend span { white-space: nowrap; }
.key { display: inline-block; width: 12px; height: 12px; margin-right: 5px; vertical-align: -1px; border-radius: 2px; }
.key.limit, .key.predicted { height: 0; width: 16px; border-radius: 0; vertical-align: 4px;
  border-top: 2px solid var(--bad); }
.key.predicted { border-top: 2px dashed var(--ink); }
.wide { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 14px; width: 100%; }
th, td { overflow-wrap: break-word; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap; } tbody th { font-weight: 600; }
.numbers td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.numbers td:last-child { white-space: normal; min-width: 150px; } .numbers th { white-space: nowrap; }
.pairs thead { display: none; } .pairs tbody th { font-weight: 400; color: var(--soft); width: 50%; }
.reasons { min-width: 620px; } .reasons td:last-child { width: 55%; } .reasons th { overflow-wrap: anywhere; }
.checks > * { border-bottom: 1px solid var(--line); }
.check { display: grid; grid-template-columns: 108px 128px 1fr auto; gap: 2px 12px; padding: 8px 0;
  align-items: baseline; }
.check b, .check .summary { overflow-wrap: anywhere; } .took { color: var(--soft); font-size: 13px; }
summary { cursor: pointer; }
summary.check { list-style: none; } summary.check::-webkit-details-marker { display: none; }
summary.check .summary::after { content: " \\25B8"; color: var(--soft); }
details[open] > summary.check .summary::after { content: " \\25BE"; }
details > summary:not(.check) { padding: 6px 0; }
.hint { background: var(--panel); border-radius: 6px; padding: 8px 12px; }
pre { background: var(--panel); border-radius: 6px; padding: 10px 12px; margin: 4px 0 12px; overflow-x: auto;
  font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 40px; border-top: 1px solid var(--line); padding-top: 10px; }
@media (max-width: 640px) { body { padding: 16px 12px 32px; } h1 { font-size: 22px; }
  .check { grid-template-columns: auto 1fr auto; } .check .summary { grid-column: 1 / -1; order: 1; } }
@media print { body { max-width: none; padding: 0; font-size: 12px; } h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .check, figure, tr { break-inside: avoid; } .wide { overflow: visible; } .reasons { min-width: 0; }
  details::details-content { content-visibility: visible; height: auto; }
  summary .summary::after { content: none !important; } }
"""
