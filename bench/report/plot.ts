import { percent, type ContestResult, type Standing } from '../contest.js';
import { grouped } from './markdown.js';
import type { Machine } from './machine.js';
import { COLORS, text } from './svg.js';

const WIDTH = 1080;
const MARGIN = 24;
const NAMES = 245;
const BAR = 26;
const STEP = 44;
const PANEL_HEAD = 46;
const PANEL_GAP = 22;
/** room for the figures right of the longest bar */
const FIGURES = 390;

/** Bars of the rates, one panel a contest, each with its own scale from 0: SVG, dark on light. */
export function renderPlot(machine: Machine, results: ContestResult[]): string {
  const head = 64;
  const heights = results.map(({ standings }) => PANEL_HEAD + standings.length * STEP + PANEL_GAP);
  const height = head + heights.reduce((sum, each) => sum + each, 0) + 8;
  const parts: string[] = [];
  let y = head;
  for (const [i, result] of results.entries()) {
    parts.push(renderPanel(result, y));
    y += heights[i]!;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Rates of the endpoint register beside simpler programs" font-family="system-ui, sans-serif" font-size="14">
<rect width="${WIDTH}" height="${height}" fill="${COLORS.paper}"/>
${text(MARGIN, 30, 'The endpoint register beside programs that do less', 'font-size="18" font-weight="600"')}
${text(MARGIN, 50, `${machine.date.slice(0, 10)}, ${machine.processors} processors shared by servers and client, Node ${machine.node}; bars: median of ${results[0]?.standings[0]?.samples.length ?? 0} runs, whiskers: least and greatest`, `fill="${COLORS.faint}" font-size="12"`)}
${parts.join('\n')}
</svg>
`;
}

function renderPanel({ title, unit, aim, standings }: ContestResult, top: number): string {
  const most = Math.max(
    ...standings.flatMap(({ samples }) => samples.map(({ ratePerSecond }) => ratePerSecond)),
  );
  const left = MARGIN + NAMES;
  const scale = (WIDTH - left - FIGURES - MARGIN) / most;
  const lines = [
    text(MARGIN, top + 16, `${title} (${unit})`, 'font-weight="600"'),
    ...(aim === undefined
      ? []
      : [text(MARGIN, top + 34, `Aim: ${aim}`, `fill="${COLORS.faint}" font-size="12"`)]),
  ];
  for (const [i, standing] of standings.entries()) {
    const y = top + PANEL_HEAD + i * STEP;
    lines.push(renderBar(standing, left, y, scale));
  }
  const bottom = top + PANEL_HEAD + standings.length * STEP - 8;
  lines.push(
    `<line x1="${left}" y1="${top + PANEL_HEAD - 6}" x2="${left}" y2="${bottom}" stroke="${COLORS.line}"/>`,
  );
  return lines.join('\n');
}

function renderBar(
  { name, own, ratePerSecond, samples, p50Ms, p99Ms, ratios }: Standing,
  left: number,
  y: number,
  scale: number,
): string {
  const rates = samples.map((sample) => sample.ratePerSecond);
  const x = (rate: number): number => Math.round((left + rate * scale) * 10) / 10;
  const [least, greatest] = [x(Math.min(...rates)), x(Math.max(...rates))];
  const middle = y + BAR / 2;
  const figures = [
    grouped(ratePerSecond),
    ...(p50Ms === undefined || p99Ms === undefined
      ? []
      : [`p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`]),
  ].join(' · ');
  const shares = ratios.map(({ to, median }) => `${percent(median)} of ${to}`).join(', ');
  return [
    text(left - 10, middle + 5, name, `text-anchor="end"${own ? ' font-weight="600"' : ''}`),
    `<rect x="${left}" y="${y}" width="${Math.max(1, x(ratePerSecond) - left).toFixed(1)}" height="${BAR}" fill="${own ? COLORS.own : COLORS.other}"/>`,
    `<path d="M${least} ${middle}H${greatest}M${least} ${middle - 4}V${middle + 4}M${greatest} ${middle - 4}V${middle + 4}" stroke="${COLORS.ink}" fill="none"/>`,
    text(greatest + 10, shares === '' ? middle + 5 : middle - 2, figures, 'font-size="13"'),
    ...(shares === ''
      ? []
      : [text(greatest + 10, middle + 14, shares, `font-size="12" fill="${COLORS.own}"`)]),
  ].join('\n');
}
