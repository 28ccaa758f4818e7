import { type ReactNode, useEffect, useState } from 'react';
import { NavLink, useLocation } from 'react-router-dom';

import Icon, { type IconName } from './Icon';

const PAGES: { path: string; name: string; icon: IconName }[] = [
  { path: '/', name: 'Chat', icon: 'chat' },
  { path: '/images', name: 'Images', icon: 'image' },
  { path: '/status', name: 'Status', icon: 'status' },
];

function ThemeButton() {
  const [dark, setDark] = useState(() => document.documentElement.classList.contains('dark'));
  const change = () => {
    document.documentElement.classList.toggle('dark', !dark);
    localStorage.setItem('theme', dark ? 'light' : 'dark');
    setDark(!dark);
  };
  return (
    <button
      type="button"
      onClick={change}
      aria-label={dark ? 'Use light colours' : 'Use dark colours'}
      className="quiet grid size-11 place-items-center rounded-xl hover:bg-stone-200 dark:hover:bg-stone-800"
    >
      <Icon name={dark ? 'sun' : 'moon'} />
    </button>
  );
}

export default function Frame({ children }: { children: ReactNode }) {
  const { pathname } = useLocation();
  useEffect(() => {
    const page = PAGES.find((item) => item.path === pathname);
    document.title = page ? `${page.name} · Mami` : 'Mami';
  }, [pathname]);

  return (
    <div className="flex h-full flex-col">
      <a
        href="#main"
        className="sr-only rounded-xl bg-violet-700 px-4 py-3 text-white focus:not-sr-only focus:absolute focus:z-10"
      >
        Skip to the content
      </a>
      <header className="border-b border-stone-200 bg-white/80 backdrop-blur dark:border-stone-800 dark:bg-stone-900/80">
        <div className="mx-auto flex max-w-4xl items-center gap-1 px-3 py-2 sm:gap-2 sm:px-6">
          <img src="/favicon.svg" alt="" className="size-8" />
          <span className="mr-auto hidden text-lg font-semibold tracking-tight sm:inline">Mami</span>
          <nav aria-label="Pages" className="mr-auto flex gap-1 sm:mr-0">
            {PAGES.map((page) => (
              <NavLink
                key={page.path}
                to={page.path}
                end
                className={({ isActive }) =>
                  `flex min-h-11 items-center gap-1.5 rounded-xl px-2.5 text-sm font-medium sm:px-3 ${
                    isActive
                      ? 'bg-violet-100 text-violet-900 dark:bg-violet-950 dark:text-violet-200'
                      : 'quiet hover:bg-stone-200 dark:hover:bg-stone-800'
                  }`
                }
              >
                <Icon name={page.icon} />
                {page.name}
              </NavLink>
            ))}
          </nav>
          <ThemeButton />
        </div>
      </header>
      <main id="main" tabIndex={-1} className="min-h-0 flex-1 overflow-y-auto outline-none">
        {children}
      </main>
    </div>
  );
}
