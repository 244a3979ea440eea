/** Where Grafana's components find their icons; imported before them. */

(window as any).__grafana_public_path__ = '/public/';

export {};
