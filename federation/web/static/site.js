import { initAll } from "./govuk/govuk-frontend.min.js";

// Pages work without any of this. It is what GOV.UK Frontend asks of a page that has scripts.
document.body.classList.add("js-enabled", "govuk-frontend-supported");
initAll();
