/** What is used of it; the package has no types. Its settings: https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/ */
declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  type UpdateSpec = (text: string) => unknown;
  interface Plugin {
    statePlugins: { spec: { wrapActions: { updateSpec: (update: UpdateSpec) => UpdateSpec } } };
  }
  interface SentRequest {
    headers: Record<string, string>;
  }
  interface Settings {
    dom_id: string;
    /** of the document; operations are asked for relative to it */
    url: string;
    /** `null`: nobody else is asked whether the document is valid */
    validatorUrl: null;
    deepLinking: boolean;
    filter: boolean;
    tryItOutEnabled: boolean;
    displayRequestDuration: boolean;
    showExtensions: boolean;
    defaultModelsExpandDepth: number;
    plugins: Plugin[];
    requestInterceptor: (request: SentRequest) => Promise<SentRequest>;
  }
  export default function SwaggerUI(settings: Settings): void;
}
declare module '*.css';
