import { Api } from "../api/client";
import { watched } from "../api/place";
import { Language } from "../i18n/language";
import { WatchPage } from "../pages/watch";

new WatchPage(new Api(), new Language(), watched(location.pathname)).mount(document.body);
