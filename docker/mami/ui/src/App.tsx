import { Suspense, lazy } from 'react';
import { Route, Routes } from 'react-router-dom';

import Frame from './components/Frame';
import Chat from './pages/Chat';

const Images = lazy(() => import('./pages/Images'));
const Status = lazy(() => import('./pages/Status'));

export default function App() {
  return (
    <Frame>
      <Suspense fallback={<p className="quiet p-6">Loading …</p>}>
        <Routes>
          <Route path="/" element={<Chat />} />
          <Route path="/images" element={<Images />} />
          <Route path="/status" element={<Status />} />
          <Route path="*" element={<p className="p-6">There is no such page.</p>} />
        </Routes>
      </Suspense>
    </Frame>
  );
}
