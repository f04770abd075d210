import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Feed } from '../feed.js';
import { nowS } from '../feed.js';
import { formatClock, formatNumber } from '../format.js';
import { onThemeChange } from '../theme.js';

const HEIGHT_PX = 220;

/** Updates and matches a second over the last minutes. A gap means that nobody listened. */
export function RateChart({ feed }: { feed: Feed }) {
  const place = useRef<HTMLDivElement>(null);
  const [reading, setReading] = useState('');
  useEffect(() => {
    const element = place.current!;
    let chart: uPlot | undefined;
    const draw = (): void => {
      chart?.destroy();
      chart = new uPlot(optionsFor(element, setReading), feed.rates.series(nowS()), element);
    };
    draw();
    const resize = new ResizeObserver(() =>
      chart?.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    resize.observe(element);
    const timer = setInterval(() => chart?.setData(feed.rates.series(nowS())), 1000);
    const forget = onThemeChange(draw);
    return () => {
      clearInterval(timer);
      resize.disconnect();
      forget();
      chart?.destroy();
    };
  }, [feed]);
  const recent = feed.rates.recent(nowS(), 5);
  const label =
    recent === undefined
      ? 'Updates and matches a second: nothing was heard yet.'
      : `Updates and matches a second over the last five minutes. Now ${formatNumber(recent.updates)} updates and ${formatNumber(recent.matches)} matches a second.`;
  return (
    <div class="chart">
      <div ref={place} role="img" aria-label={label} />
      <p class="chart-reading muted">{reading}</p>
    </div>
  );
}

function optionsFor(element: HTMLElement, onReading: (text: string) => void): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--muted'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
  };
  const line = (label: string, name: string): uPlot.Series => ({
    label,
    stroke: colour(name),
    // the colours are of six digits: two more are the opacity
    fill: `${colour(name)}1f`,
    width: 1.5,
    points: { show: false },
    spanGaps: false,
  });
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    cursor: { y: false },
    legend: { show: false },
    hooks: { setCursor: [(chart) => onReading(readingOf(chart))] },
    scales: {
      // from 0, and never so near that a single event fills the height
      y: { range: (_chart, _least, most) => [0, Math.max(5, Math.ceil((most ?? 0) * 1.15))] },
    },
    axes: [
      { ...axis, incrs: [60], space: 40, values: (_chart, ticks) => ticks.map(minuteOf) },
      { ...axis, size: 52, values: (_chart, ticks) => ticks.map((tick) => formatNumber(tick)) },
    ],
    series: [{}, line('Updates/s', '--series-1'), line('Matches/s', '--series-2')],
  };
}

function minuteOf(second: number): string {
  return formatClock(new Date(second * 1000)).slice(0, 5);
}

/** What is under the pointer. */
function readingOf({ cursor, data }: uPlot): string {
  const at = cursor.idx;
  if (at === null || at === undefined) return '';
  const [times, updates, matches] = data;
  const clock = formatClock(new Date(times[at]! * 1000));
  const [some, others] = [updates?.[at], matches?.[at]];
  if (some === null || some === undefined) return `${clock}: nobody listened`;
  return `${clock}: ${formatNumber(some)} updates, ${formatNumber(others ?? 0)} matches`;
}
