import { NotFoundPage } from "../pages/not-found/not-found-page";
import { showPage } from "../ui/page";

showPage(<NotFoundPage />);
