import { render } from 'preact';
import { createApi } from './api.js';
import { App } from './app.js';
import { createFeed } from './feed.js';
import { applyTheme, readTheme } from './theme.js';
import './styles/theme.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/views.css';
import './styles/small.css';

applyTheme(readTheme());
// relative to the page, so that every prefix works: /epr/console/ asks /epr/api/v1/
const api = createApi(new URL('../api/v1/', document.baseURI));
render(<App api={api} feed={createFeed(api)} />, document.getElementById('console')!);
