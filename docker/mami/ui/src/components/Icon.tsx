const PATHS = {
  chat: 'M8 10h8M8 14h5M21 12a8 8 0 0 1-8 8H4l2-3.2A8 8 0 1 1 21 12Z',
  image: 'M4 17l5-5 4 4 3-3 4 4M5 5h14a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1Zm10.5 5a1 1 0 1 0 0-2 1 1 0 0 0 0 2Z',
  status: 'M3 12h4l3-7 4 14 3-7h4',
  sun: 'M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m0-11.4L4.9 4.9m14.2 14.2-1.4-1.4M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z',
  moon: 'M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5Z',
  send: 'M5 12h14m-6-6 6 6-6 6',
  upload: 'M12 16V5m-5 5 5-5 5 5M5 19h14',
  plus: 'M12 5v14M5 12h14',
};

export type IconName = keyof typeof PATHS;

export default function Icon({ name }: { name: IconName }) {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 24 24"
      className="size-5 shrink-0"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
