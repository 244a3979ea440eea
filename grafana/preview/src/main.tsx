/** The preview's page: the list of dashboards, one dashboard, or what a link asks for. */

import './public-path';

import '@fontsource/roboto-mono';
import './style.css';

import { ThemeContext, type GrafanaTheme2 } from '@grafana/data';
import { LocationServiceProvider, locationService } from '@grafana/runtime';
import { type EmbeddedScene, UrlSyncContextProvider } from '@grafana/scenes';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { type ReactNode, useLayoutEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'react-router-dom';

import { exploreBoard } from './explore';
import { Notice } from './panels/frame';
import { registerPanels } from './panels';
import { isLight, setUp } from './registries';
import { sceneOf } from './scene';
import { type Boot, type BoardFacts, ask } from './server';
import { registerSources } from './sources';
import { watch } from './status';

/** `?still` is for pictures and tests: all rows open, nothing refreshes or moves. */
const still = new URLSearchParams(window.location.search).has('still');

function Routed({ children }: { children: ReactNode }) {
  const history = locationService.getHistory();
  const [location, move] = useState(history.location);
  useLayoutEffect(() => history.listen((next: any) => move(next.location ?? next)), [history]);
  return (
    <LocationServiceProvider service={locationService}>
      <Router navigator={history as any} location={location as any}>{children}</Router>
    </LocationServiceProvider>
  );
}

function Head({ boards, board }: { boards: BoardFacts[]; board?: any }) {
  const turned = new URLSearchParams(window.location.search);
  turned.set('theme', isLight ? 'dark' : 'light');
  const keep = isLight ? '?theme=light' : '';
  return (
    <header className="head">
      <a className="brand" href={`/${keep}`}>Nöbet</a>
      {board && <h1>{board.title}</h1>}
      <span className="push" />
      {!still && (
        <>
          {(board?.links ?? []).filter((link: any) => link.type === 'link' && link.url).map((link: any) => (
            <a key={link.title} href={link.url} target={link.targetBlank ? '_blank' : undefined} rel="noreferrer">{link.title}</a>
          ))}
          <select aria-label="Dashboard" value={board?.uid ?? ''} onChange={(event) => window.location.assign(`/d/${event.target.value}${keep}`)}>
            <option value="" disabled>Dashboard …</option>
            {boards.map((one) => <option key={one.uid} value={one.uid}>{one.title}</option>)}
          </select>
          <a href={`?${turned}`}>{isLight ? 'Dark' : 'Light'}</a>
        </>
      )}
    </header>
  );
}

function List({ boards }: { boards: BoardFacts[] }) {
  return (
    <nav className="list">
      {boards.map((board) => (
        <a key={board.uid} href={`/d/${board.uid}${isLight ? '?theme=light' : ''}`}><b>{board.title}</b>{board.description}</a>
      ))}
    </nav>
  );
}

function Page({ theme, boards, board, scene, error }: { theme: GrafanaTheme2; boards: BoardFacts[]; board?: any; scene?: EmbeddedScene; error?: string }) {
  return (
    <Routed>
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        <PortalContainer />
        <div className={still ? 'page still' : 'page'}>
          <Head boards={boards} board={board} />
          {board?.description && <div className="question">{board.description}</div>}
          {error && <Notice text={error} isError />}
          {!error && !scene && <List boards={boards} />}
          {scene && (
            <UrlSyncContextProvider scene={scene}>
              <div className="board"><scene.Component model={scene} /></div>
            </UrlSyncContextProvider>
          )}
        </div>
      </ThemeContext.Provider>
    </Routed>
  );
}

async function start() {
  const theme = setUp();
  document.documentElement.style.colorScheme = theme.colors.mode;
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.setProperty('--panel', theme.colors.background.primary);
  const draw = (page: ReactNode) => createRoot(document.getElementById('root')!).render(page);
  let boards: BoardFacts[] = [];
  // Axes are as wide as their texts: measured with another font they would cut them.
  await Promise.all([document.fonts.load('12px Inter'), document.fonts.load('500 12px Inter')]);
  try {
    const boot: Boot = await ask('/preview/boot');
    boards = boot.dashboards;
    registerSources(boot.sources);
    registerPanels();
    const board = await wanted();
    const scene = board && sceneOf(board, still);
    document.title = board ? `${board.title} · Nöbet` : 'Nöbet';
    draw(<Page theme={theme} boards={boards} board={board} scene={scene} />);
    watch();
    window.ready = !board;
  } catch (error) {
    draw(<Page theme={theme} boards={boards} error={String((error as Error).message)} />);
    throw error;
  }
}

async function wanted(): Promise<any> {
  const { pathname, search } = window.location;
  if (pathname === '/explore') {
    return exploreBoard(new URLSearchParams(search));
  }
  const uid = /^\/d\/([^/]+)/.exec(pathname)?.[1];
  return uid ? ask(`/preview/dashboards/${encodeURIComponent(decodeURIComponent(uid))}`) : undefined;
}

void start();
