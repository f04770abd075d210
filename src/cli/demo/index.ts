export { demo, type DemoFlags } from './demo.js';
