import { Api } from "./api/client";
import { LivePage } from "./pages/live";
import { OperatorCode } from "./pages/operator-code";
import { Language } from "./words/language";

const code = new OperatorCode();
new LivePage(new Api(() => code.value), new Language(), code).mount(document.body);
