import { formatCount, formatNumber } from '../format.js';

interface PagerProps {
  total: number;
  shown: number;
  one: string;
  onFirst: (() => void) | undefined;
  onPrevious?: (() => void) | undefined;
  onNext: (() => void) | undefined;
}

export function Pager({ total, shown, one, onFirst, onPrevious, onNext }: PagerProps) {
  return (
    <nav class="pager" aria-label="Pages">
      <p role="status">
        {formatCount(total, one)}
        {shown < total && <span class="muted">, {formatNumber(shown)} on this page</span>}
      </p>
      <div class="pager-buttons">
        <button type="button" class="button" disabled={onFirst === undefined} onClick={onFirst}>
          First
        </button>
        <button type="button" class="button" disabled={onPrevious === undefined} onClick={onPrevious}>
          Previous
        </button>
        <button type="button" class="button" disabled={onNext === undefined} onClick={onNext}>
          Next
        </button>
      </div>
    </nav>
  );
}
