export { listenFault } from './listen-fault.js';
export { startGateway } from './start-gateway.js';
export type {
  ComponentHealth,
  Gateway,
  GatewayDeps,
  GatewayLimits,
  GatewayOptions,
  HealthReport,
} from './types.js';
