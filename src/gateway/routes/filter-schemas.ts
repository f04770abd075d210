/** Levels around a metadata value in a query: beyond what the filter language allows, which says more exactly what is nested too deep. */
export const QUERY_LEVELS = 100;
