export type Theme = 'system' | 'light' | 'dark';

const KEY = 'epr-console-theme';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

/** What was chosen here before; what the system says, where nothing can be remembered. */
export function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === stored) ?? 'system';
  } catch {
    return 'system';
  }
}

export function applyTheme(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === 'system') delete dataset['theme'];
  else dataset['theme'] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // then it holds for this page only
  }
  dispatchEvent(new Event(THEME_CHANGED));
}

export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
}

/** For what takes colours when it is drawn, such as the chart; the system's change counts, too. */
export function onThemeChange(callback: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  addEventListener(THEME_CHANGED, callback);
  system.addEventListener('change', callback);
  return () => {
    removeEventListener(THEME_CHANGED, callback);
    system.removeEventListener('change', callback);
  };
}

const THEME_CHANGED = 'epr-theme';
