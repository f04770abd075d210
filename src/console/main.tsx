import { render } from 'preact';
import './styles/base.css';

render(<h1>Endpoint register</h1>, document.getElementById('console')!);
