import { useState } from 'preact/hooks';
import { applyTheme, nextTheme, readTheme } from '../theme.js';

export function ThemeButton() {
  const [theme, setTheme] = useState(readTheme);
  return (
    <button
      type="button"
      class="button button-small"
      aria-label={`Colours: ${theme}. Change`}
      onClick={() => {
        const next = nextTheme(theme);
        applyTheme(next);
        setTheme(next);
      }}
    >
      {theme === 'system' ? '◐' : theme === 'light' ? '☀' : '☾'} <span class="wide-only">{theme}</span>
    </button>
  );
}
