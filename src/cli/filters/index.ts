export { applyFilters, type FiltersFlags } from './apply-filters.js';
