import { Api } from "../api/client";
import { Language } from "../i18n/language";
import { HomePage } from "../pages/home";

new HomePage(new Api(), new Language()).mount(document.body);
