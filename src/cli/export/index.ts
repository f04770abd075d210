export { exportFleet, type ExportFlags } from './export-fleet.js';
