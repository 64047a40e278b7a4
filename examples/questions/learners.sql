-- Level 3 learners by subject: Greater Manchester (gm) next to the North West
SELECT s.sector_subject_area_name AS subject, gm, north_west
FROM (
  SELECT subject AS code, count(*) AS north_west,
         count(*) FILTER (
           WHERE combined_authority_home = 'Greater Manchester'
         ) AS gm
  FROM learners
  WHERE level = 'Level 3' AND region_home = 'North West'
  GROUP BY subject
)
JOIN sector_subject_area s ON s.sector_subject_area = code
ORDER BY subject
