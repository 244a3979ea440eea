/** Stands for the code editor of Grafana's components, which no dashboard shows. */

export const loader = { config: () => undefined };

export default () => null;
