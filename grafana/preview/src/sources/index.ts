/** The data sources, found as panels name them: by uid, by a variable, or the default one of a kind. */

import { type DataSourceApi, type DataSourceInstanceSettings, PluginType } from '@grafana/data';
import { setDataSourceSrv } from '@grafana/runtime';

import type { SourceFacts } from '../server';
import { Elasticsearch } from './elasticsearch';
import { Jaeger } from './jaeger';
import { Prometheus } from './prometheus';
import { interpolate } from './run';

const KINDS: Record<string, new (facts: SourceFacts, settings: any) => DataSourceApi<any>> = {
  prometheus: Prometheus,
  elasticsearch: Elasticsearch,
  jaeger: Jaeger,
};

export function registerSources(all: SourceFacts[]) {
  const usable = all.filter((facts) => facts.type in KINDS);
  const made = new Map(usable.map((facts) => [facts.uid, new KINDS[facts.type](facts, settingsOf(facts))]));
  const find = (reference: any, scoped?: any): string => {
    const named = typeof reference === 'string' ? reference : reference?.uid;
    const uid = named ? interpolate(scoped, named) : '';
    const kind = typeof reference === 'string' ? '' : reference?.type;
    const fallback = all.find((facts) => !kind || facts.type === kind);
    return made.has(uid) ? uid : (all.find((facts) => facts.name === uid)?.uid ?? (uid && !uid.startsWith('$') ? '' : fallback?.uid) ?? '');
  };
  setDataSourceSrv({
    get: async (reference: any, scoped: any) => {
      const source = made.get(find(reference, scoped));
      if (!source) {
        throw new Error(`There is no data source ${JSON.stringify(reference)} in grafana/provisioning.`);
      }
      return source;
    },
    getInstanceSettings: (reference: any, scoped: any) => {
      const facts = all.find((candidate) => candidate.uid === find(reference, scoped));
      return facts && settingsOf(facts);
    },
    getList: (wanted: any = {}) =>
      all.filter((facts) => !wanted.pluginId || facts.type === wanted.pluginId).map(settingsOf),
    reload: () => undefined,
    registerRuntimeDataSource: () => undefined,
  } as any);
}

function settingsOf(facts: SourceFacts): DataSourceInstanceSettings<any> {
  return {
    id: 0,
    uid: facts.uid,
    name: facts.name,
    type: facts.type,
    isDefault: facts.isDefault,
    readOnly: true,
    access: 'proxy',
    jsonData: facts.options,
    meta: { id: facts.type, name: facts.name, type: PluginType.datasource, info: { logos: { small: '', large: '' } }, metrics: true } as any,
  };
}
