import { Api } from "../api/client";
import { Language } from "../i18n/language";
import { LivePage } from "../pages/live";
import { OperatorCode } from "../pages/operator-code";

const code = new OperatorCode();
new LivePage(new Api(() => code.value), new Language(), code).mount(document.body);
