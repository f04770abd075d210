export { createPages, type Page, type Pages } from './pages.js';
